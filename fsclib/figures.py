"""Draws what an analysis returned; computes nothing. The only module that imports matplotlib.

Every function returns a Figure, which a notebook shows where a cell ends with it, and which a run's `save_figure` writes as PDF
and PNG. Colours are those of Okabe and Ito, which colour-blind readers can tell apart.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

COLOURS = {"visible": "#0072B2", "infrared": "#D55E00"}
RIGHT, WRONG = "#009E73", "#D55E00"
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":")  # the first for seven curves, then the next
WIDTH = 7.0  # inches: a page's text width
CELL = 1.0  # inches: the widest that an image of a person is drawn
TEXT, SMALL = 8, 7  # points
LOSSES = ("identity", "triplet", "cpm", "orthogonality")


class Picture(Figure):
    """A Figure that Jupyter can show without pyplot, whose list of open figures would keep each one alive."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=110, bbox_inches="tight")
        return content.getvalue()


def sample_sheet(pictures: Sequence[Sequence[np.ndarray | None]], rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Images (H, W, 3) uint8 in rows and columns with their names; None leaves a place empty."""
    figure, grid = _sheet(next(p for line in pictures for p in line if p is not None).shape, rows, columns)
    for line, axes in zip(pictures, grid, strict=True):
        for picture, axis in zip(line, axes, strict=True):
            _place(axis, picture)
    return figure


def ranked_lists(
    queries: Sequence[np.ndarray], found: Sequence[Sequence[np.ndarray]], right: Sequence[Sequence[bool]], names: Sequence[str]
) -> Figure:
    """A row a query: the query, then its first gallery images; right ones framed green, wrong ones red and dashed."""
    ranks = range(1, 1 + max(len(line) for line in found))
    figure, grid = _sheet(queries[0].shape, names, ["query", *map(str, ranks)])
    for query, line, truths, axes in zip(queries, found, right, grid, strict=True):
        _place(axes[0], query)
        for axis, picture, true in zip(axes[1:], line, truths, strict=False):
            _place(axis, picture)
            style = {"edgecolor": RIGHT if true else WRONG, "linestyle": "-" if true else (0, (3, 1.5))}
            axis.add_patch(Rectangle((0, 0), 1, 1, transform=axis.transAxes, fill=False, linewidth=2, clip_on=False, **style))
    return figure


def spectra(amplitudes: Mapping[str, np.ndarray], profiles: Mapping[str, pd.DataFrame]) -> Figure:
    """Mean log-amplitude spectra (H, W) by modality, one scale for all, and their radial profiles."""
    figure = Picture((WIDTH, 2.8), layout="constrained")
    *pictures, curve = figure.subplots(1, len(amplitudes) + 1, width_ratios=[1] * len(amplitudes) + [2.4])
    logs = {name: np.log10(np.maximum(amplitude, 1e-6)) for name, amplitude in amplitudes.items()}
    # the centre is empty by construction and would stretch the scale
    low = min(np.percentile(log, 1) for log in logs.values())
    high = max(log.max() for log in logs.values())
    for axis, (name, log) in zip(pictures, logs.items(), strict=True):
        # a frequency is the middle of its pixel
        (bottom, top), (left, right) = ((-(n // 2) - 0.5, (n - 1) // 2 + 0.5) for n in log.shape)
        shown = axis.imshow(log, cmap="viridis", vmin=low, vmax=high, extent=(left, right, bottom, top), origin="lower")
        _text(axis, title=name, xlabel="cycles per width", ylabel="cycles per height" if axis is pictures[0] else "")
        axis.xaxis.set_major_locator(MaxNLocator(3, symmetric=True))
        axis.tick_params(labelleft=axis is pictures[0])
    bar = figure.colorbar(shown, ax=pictures, shrink=0.8, aspect=30)
    _text(bar.ax, ylabel="log₁₀ mean |F|")
    for name, profile in profiles.items():
        curve.loglog(profile["frequency"], profile["amplitude"], color=COLOURS.get(name), label=name)
    _text(curve, title="radial profile", xlabel="frequency, cycles per image width", ylabel="mean |F|, grey levels")
    curve.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    curve.xaxis.set_major_formatter("{x:g}")
    curve.xaxis.set_minor_formatter(NullFormatter())
    curve.legend(frameon=False, fontsize=SMALL)
    return figure


def training_curves(log: pd.DataFrame) -> Figure:
    """Losses by part, learning rate and, where there was a validation, rank-1 and mAP, over the epochs of a log."""
    if log.empty:
        raise ValueError("log: found no epoch, expected at least one; train the run first")
    validated = log.dropna(subset=["val_map"]) if "val_map" in log else log.iloc[:0]
    figure = Picture((WIDTH, 2.4), layout="constrained")
    axes = figure.subplots(1, 2 + bool(len(validated)))
    epoch = log["epoch"] + 1
    for part, colour in zip(LOSSES, CYCLE, strict=False):
        if (log[part].abs() > 0).any():
            axes[0].plot(epoch, log[part], color=colour, label=part, marker=".", markersize=3)
    axes[0].set_yscale("symlog", linthresh=0.01)  # a part may be zero or negative
    _text(axes[0], ylabel="loss, mean of the epoch, unweighted")
    axes[1].plot(epoch, log["lr"], color=CYCLE[0], drawstyle="steps-mid", marker=".", markersize=3)
    axes[1].set_yscale("log")
    _text(axes[1], ylabel="learning rate, neck and classifier")
    if len(validated):
        for column, label, colour in (("val_rank1", "rank-1", CYCLE[0]), ("val_map", "mAP", CYCLE[1])):
            axes[2].plot(
                validated["epoch"] + 1, validated[column], color=colour, label=label, marker="o", markersize=3, clip_on=False
            )
        axes[2].set_ylim(0, 100)
        _text(axes[2], ylabel="validation, infrared → visible, %")
    for axis in axes:
        _text(axis, xlabel="epoch")
        axis.set_xlim(epoch.min() - 0.5, epoch.max() + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        if axis is not axes[1]:  # above the panel: curves fill the rest
            place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "borderaxespad": 0.2}
            axis.legend(frameon=False, fontsize=SMALL, ncols=2, **place)
    return figure


def cmc_curves(curves: Mapping[str, np.ndarray]) -> Figure:
    """Matching rates (20,) in per cent by rank, a curve a name; with more than one trial pass (trials, 20): mean and range."""
    figure = Picture((WIDTH * 0.65, 3.2), layout="constrained")
    axis = figure.subplots()
    several = False
    for number, (name, curve) in enumerate(curves.items()):
        trials = np.atleast_2d(curve)
        ranks = np.arange(1, trials.shape[1] + 1)
        several |= len(trials) > 1
        colour, style = CYCLE[number % len(CYCLE)], STYLES[number // len(CYCLE) % len(STYLES)]
        axis.plot(ranks, trials.mean(0), color=colour, linestyle=style, label=name, marker=".", markersize=4)
        axis.fill_between(ranks, trials.min(0), trials.max(0), color=colour, alpha=0.15, linewidth=0)
    if several:
        axis.fill_between([], [], [], color="black", alpha=0.15, linewidth=0, label="range over trials")
    axis.set(xticks=(1, 5, 10, 15, 20), ylim=(None, 100.5))
    _text(axis, xlabel="rank", ylabel="queries with a match up to this rank, %")
    axis.legend(frameon=False, fontsize=SMALL)
    axis.grid(alpha=0.3)
    return figure


def _sheet(shape: tuple[int, ...], rows: Sequence[str], columns: Sequence[str]) -> tuple[Figure, np.ndarray]:
    """A figure of empty places for images of this shape, and its axes (rows, columns), with names at the top and on the left."""
    width = min(CELL, WIDTH / (len(columns) + 0.6))
    height = width * shape[0] / shape[1]
    figure = Picture((width * (len(columns) + 0.6), height * len(rows) + 0.35), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axis in grid.flat:
        _place(axis, None)
    for axis, name in zip(grid[:, 0], rows, strict=True):
        axis.set_ylabel(name, fontsize=_fitting(rows, height))
    for axis, name in zip(grid[0], columns, strict=True):
        axis.set_title(name, fontsize=_fitting(columns, width))
    return figure, grid


def _fitting(texts: Sequence[str], inches: float) -> float:
    """Size in points at which no line of the texts is longer than this; a letter is about 0.65 as wide as it is high."""
    longest = max(len(line) for text in texts for line in text.split("\n"))
    return min(SMALL, inches * 72 / (0.65 * max(1, longest)))


def _place(axis: Axes, picture: np.ndarray | None) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if picture is not None:
        axis.imshow(picture, interpolation="nearest")


def _text(axis: Axes, **texts: str) -> None:
    """Title and labels of an axis, in the sizes of a printed page."""
    axis.set(**texts)
    for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
        text.set_fontsize(TEXT)
    axis.tick_params(labelsize=SMALL)
