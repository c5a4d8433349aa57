"""Draws what an analysis returned; computes nothing. The only module that imports matplotlib.

Every function returns a Figure; a run's `save_figure` writes it as PDF and PNG. Colours are those of Okabe and Ito, which
colour-blind readers can tell apart.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt  # noqa: F401 - makes a notebook show a Figure that a cell ends with
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

COLOURS = {"visible": "#0072B2", "infrared": "#D55E00"}
RIGHT, WRONG = "#009E73", "#D55E00"
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
WIDTH = 7.0  # inches: a page's text width
LOSSES = ("identity", "triplet", "cpm", "orthogonality")


def sample_sheet(pictures: Sequence[Sequence[np.ndarray | None]], rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Images (H, W, 3) uint8 in rows and columns with their names; None leaves a place empty."""
    height, width = next(picture for line in pictures for picture in line if picture is not None).shape[:2]
    cell = WIDTH / (len(columns) + 0.6)
    figure = Figure((WIDTH, cell * height / width * len(rows) + 0.35), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, name, axes in zip(pictures, rows, grid, strict=True):
        for picture, axis in zip(line, axes, strict=True):
            _picture(axis, picture)
        axes[0].set_ylabel(name, fontsize=7)
    for axis, name in zip(grid[0], columns, strict=True):
        axis.set_title(name, fontsize=7)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    return figure


def spectra(amplitudes: Mapping[str, np.ndarray], profiles: Mapping[str, pd.DataFrame]) -> Figure:
    """Mean log-amplitude spectra (H, W) by modality, one scale for all, and their radial profiles."""
    figure = Figure((WIDTH, 3.2), layout="constrained")
    *pictures, curve = figure.subplots(1, len(amplitudes) + 1, width_ratios=[1] * len(amplitudes) + [2.4])
    logs = {name: np.log10(np.maximum(amplitude, 1e-6)) for name, amplitude in amplitudes.items()}
    # the centre is empty by construction and would stretch the scale
    low = min(np.percentile(log, 1) for log in logs.values())
    high = max(log.max() for log in logs.values())
    for axis, (name, log) in zip(pictures, logs.items(), strict=True):
        height, width = log.shape
        extent = (-width / 2, width / 2, -height / 2, height / 2)
        shown = axis.imshow(log, cmap="viridis", vmin=low, vmax=high, extent=extent, aspect="equal")
        axis.set(title=name, xlabel="cycles per image")
    figure.colorbar(shown, ax=pictures, label="log₁₀ mean |F|", shrink=0.8)
    for name, profile in profiles.items():
        curve.loglog(profile["frequency"], profile["amplitude"], color=COLOURS.get(name), label=name)
    curve.set(xlabel="frequency, cycles per image width", ylabel="mean |F|, grey levels", title="radial profile")
    curve.legend(frameon=False)
    return figure


def training_curves(log: pd.DataFrame) -> Figure:
    """Losses by part, learning rate and, where there was a validation, rank-1 and mAP, over the epochs of a log."""
    validated = log.dropna(subset=["val_map"]) if "val_map" in log else log.iloc[:0]
    panels = 2 + bool(len(validated))
    figure = Figure((WIDTH, 2.6), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    epoch = log["epoch"] + 1
    for part, colour in zip(LOSSES, CYCLE, strict=False):
        if (log[part].abs() > 0).any():
            axes[0].plot(epoch, log[part], color=colour, label=part, marker=".", markersize=3)
    axes[0].set(ylabel="mean loss of the epoch, before its weight", title="losses", yscale="symlog")
    axes[0].legend(frameon=False, fontsize=7)
    axes[1].step(epoch, log["lr"], where="mid", color=CYCLE[0])
    axes[1].set(ylabel="learning rate of neck and classifier", title="schedule", yscale="log")
    if len(validated):
        for column, label, colour in (("val_rank1", "rank-1", CYCLE[0]), ("val_map", "mAP", CYCLE[1])):
            axes[2].plot(validated["epoch"] + 1, validated[column], color=colour, label=label, marker="o", markersize=3)
        axes[2].set(ylabel="%", ylim=(0, 100), title="validation, infrared → visible")
        axes[2].legend(frameon=False, fontsize=7)
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def cmc_curves(curves: Mapping[str, np.ndarray]) -> Figure:
    """Matching rates (20,) in per cent by rank, a curve a name; with more than one trial pass (trials, 20): mean and range."""
    figure = Figure((WIDTH * 0.65, 3.2), layout="constrained")
    axis = figure.subplots()
    for (name, curve), colour in zip(curves.items(), CYCLE * 3, strict=False):
        trials = np.atleast_2d(curve)
        ranks = np.arange(1, trials.shape[1] + 1)
        axis.plot(ranks, trials.mean(0), color=colour, label=name, marker=".", markersize=4)
        axis.fill_between(ranks, trials.min(0), trials.max(0), color=colour, alpha=0.15, linewidth=0)
    axis.set(xlabel="rank", ylabel="queries with a match up to this rank, %", xticks=(1, 5, 10, 15, 20), ylim=(None, 100.5))
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    axis.grid(alpha=0.3)
    return figure


def ranked_lists(
    queries: Sequence[np.ndarray], found: Sequence[Sequence[np.ndarray]], right: Sequence[Sequence[bool]], names: Sequence[str]
) -> Figure:
    """A row a query: the query, then its first gallery images; right ones framed green, wrong ones red and dashed."""
    columns = 1 + max(len(line) for line in found)
    height, width = queries[0].shape[:2]
    cell = WIDTH / (columns + 0.6)
    figure = Figure((WIDTH, cell * height / width * len(queries) + 0.35), layout="constrained")
    grid = figure.subplots(len(queries), columns, squeeze=False)
    for query, line, truths, name, axes in zip(queries, found, right, names, grid, strict=True):
        _picture(axes[0], query)
        axes[0].set_ylabel(name, fontsize=7)
        for axis in axes[1:]:
            _picture(axis, None)
        for axis, picture, true in zip(axes[1:], line, truths, strict=False):
            _picture(axis, picture)
            style = {"edgecolor": RIGHT if true else WRONG, "linestyle": "-" if true else (0, (3, 1.5))}
            axis.add_patch(Rectangle((0, 0), 1, 1, transform=axis.transAxes, fill=False, linewidth=2.5, clip_on=False, **style))
    for axis, title in zip(grid[0], ["query", *range(1, columns)], strict=True):
        axis.set_title(title, fontsize=7)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    return figure


def _picture(axis: Axes, picture: np.ndarray | None) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if picture is not None:
        axis.imshow(picture, interpolation="nearest")
