"""Draws the results of analyses without computing anything. The only package that imports matplotlib.

Every function returns a Figure, which a notebook shows as the last value of a cell, and which a report's `save_figure` writes as
PDF and PNG.
"""

from fsclib.figures.attention import attention_shares, map_sheet
from fsclib.figures.comparisons import effects
from fsclib.figures.corpus import leak, spectra
from fsclib.figures.curves import cmc_curves, training_curves
from fsclib.figures.embedding import distances, embedding_map, modality_gap, view_cosines
from fsclib.figures.frequency import gap_by_radius, module_spectra, pooled_transfers, radial
from fsclib.figures.galleries import search_costs
from fsclib.figures.gates import gains, gate_histograms
from fsclib.figures.sheets import ranked_lists, sample_sheet

__all__ = [
    "attention_shares",
    "cmc_curves",
    "distances",
    "effects",
    "embedding_map",
    "gains",
    "gap_by_radius",
    "gate_histograms",
    "leak",
    "map_sheet",
    "modality_gap",
    "module_spectra",
    "pooled_transfers",
    "radial",
    "ranked_lists",
    "sample_sheet",
    "search_costs",
    "spectra",
    "training_curves",
    "view_cosines",
]
