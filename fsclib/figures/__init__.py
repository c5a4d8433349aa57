"""Draws what an analysis returned; computes nothing. The only package that imports matplotlib.

Every function returns a Figure, which a notebook shows where a cell ends with it, and which a report's `save_figure` writes as PDF
and PNG.
"""

from fsclib.figures.comparisons import effects
from fsclib.figures.corpus import leak, spectra
from fsclib.figures.curves import cmc_curves, training_curves
from fsclib.figures.sheets import ranked_lists, sample_sheet

__all__ = ["cmc_curves", "effects", "leak", "ranked_lists", "sample_sheet", "spectra", "training_curves"]
