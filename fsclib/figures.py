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
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from fsclib.statistics import FIGURES

COLOURS = {"visible": "#0072B2", "infrared": "#D55E00"}
RIGHT, WRONG = "#009E73", "#D55E00"
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":")  # the first for seven curves, then the next
WIDTH = 7.0  # inches: a page's text width
CELL, TALL = 1.0, 1.5  # inches: the widest and the tallest that an image of a person is drawn
EMPTY = "#f0f0f0"  # where a sheet has no image
TEXT, SMALL = 8, 7  # points
LOSSES = ("identity", "triplet", "cpm", "orthogonality")


class Picture(Figure):
    """A Figure that Jupyter can show without pyplot, whose list of open figures would keep each one alive."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=140, bbox_inches="tight")
        return content.getvalue()


def sample_sheet(
    pictures: Sequence[Sequence[np.ndarray | None]], rows: Sequence[str], columns: Sequence[str], groups: Sequence[str] = ()
) -> Figure:
    """Images (H, W, 3) uint8 in rows and columns with their names; None leaves a place empty, and pale.

    `groups` names what each column belongs to, above its own name; a name that repeats in neighbouring columns is written once.
    """
    figure, grid = _sheet(next(p for line in pictures for p in line if p is not None).shape, rows, columns, groups)
    for line, axes in zip(pictures, grid, strict=True):
        for picture, axis in zip(line, axes, strict=True):
            _place(axis, picture)
            axis.set_facecolor(EMPTY)
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


def spectra(amplitudes: Mapping[str, np.ndarray], profiles: Mapping[str, pd.DataFrame], difference: pd.DataFrame) -> Figure:
    """Mean log-amplitude spectra (H, W) by modality, one scale for all, their radial profiles, and how far these differ.

    difference: columns frequency, decibel, low and high, of the second modality above the first.
    """
    figure = Picture((WIDTH, 3.8), layout="constrained")
    grid = figure.add_gridspec(2, len(amplitudes) + 1, width_ratios=[1] * len(amplitudes) + [2.4], height_ratios=(1.4, 1))
    pictures = [figure.add_subplot(grid[:, column]) for column in range(len(amplitudes))]
    curve = figure.add_subplot(grid[0, -1])
    ratio = figure.add_subplot(grid[1, -1], sharex=curve)
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
    _text(bar.ax, ylabel="log₁₀ of mean |F| in grey levels")
    for (name, profile), style in zip(profiles.items(), STYLES, strict=False):
        curve.loglog(profile["frequency"], profile["amplitude"], color=COLOURS.get(name), linestyle=style, label=name)
    _text(curve, title="radial profile", ylabel="mean |F|, grey levels")
    curve.tick_params(labelbottom=False)
    curve.legend(frameon=False, fontsize=SMALL)
    ratio.axhline(0, color="black", linewidth=0.6)
    band = {"color": CYCLE[3], "alpha": 0.3, "linewidth": 0, "label": "95 % interval"}
    ratio.fill_between(difference["frequency"], difference["low"], difference["high"], **band)
    ratio.plot(difference["frequency"], difference["decibel"], color=CYCLE[3])
    first, second = profiles
    _text(ratio, xlabel="frequency, cycles per image width", ylabel=f"{second}\nover {first}, dB")
    ratio.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    ratio.xaxis.set_major_formatter("{x:g}")
    ratio.xaxis.set_minor_formatter(NullFormatter())
    ratio.legend(frameon=False, fontsize=SMALL)
    return figure


def leak(table: pd.DataFrame) -> Figure:
    """Accuracies of leakage.table with their intervals and their chance: a panel a modality, a row a classifier."""
    modalities, classifiers, kinds = (table[name].unique() for name in ("modality", "classifier", "pixels"))
    figure = Picture((WIDTH, 0.9 + 0.5 * len(classifiers)), layout="constrained")
    panels = figure.subplots(1, len(modalities), sharey=True, squeeze=False)[0]
    for axis, modality in zip(panels, modalities, strict=True):
        for number, (kind, lower) in enumerate(zip(kinds, np.linspace(-0.12, 0.12, len(kinds)), strict=True)):
            part = table[(table["modality"] == modality) & (table["pixels"] == kind)].set_index("classifier").loc[classifiers]
            sides = np.abs(part[["low", "high"]].to_numpy().T - part["accuracy"].to_numpy())
            marks = {"fmt": "os^"[number], "color": CYCLE[2 + number], "markersize": 4.5, "elinewidth": 1.5, "label": kind}
            axis.errorbar(part["accuracy"], np.arange(len(classifiers)) + lower, xerr=sides, clip_on=False, **marks)
        axis.plot(part["chance"], np.arange(len(classifiers)), "k|", markersize=20, label="chance")
        axis.set(xlim=(0, 100), ylim=(len(classifiers) - 0.5, -0.5), yticks=range(len(classifiers)))
        axis.set_yticklabels([name.replace(", ", ",\n") for name in classifiers])
        axis.grid(axis="x", alpha=0.3)
        _text(axis, title=modality, xlabel="right person named, %")
    marks, names = panels[0].get_legend_handles_labels()
    figure.legend(marks, names, loc="outside lower center", ncols=len(names), markerscale=0.7, frameon=False, fontsize=SMALL)
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


def effects(table: pd.DataFrame) -> Figure:
    """Differences to the baseline with their intervals, as in Comparison.effects: a panel a setting and figure, a row a variant.

    Thick: 95 % over people; thin: over people and trainings, where there are several. A filled mark: the interval excludes zero.
    """
    others = table[table["difference"].notna()]
    (baseline,) = table.loc[table["difference"].isna(), "variant"].unique()
    settings, names, variants = (others[name].unique() for name in ("setting", "figure", "variant"))
    rows = np.arange(len(variants))
    figure = Picture((WIDTH, 0.6 + len(settings) * (0.6 + 0.2 * len(variants))), layout="constrained")
    parts = figure.subfigures(len(settings), 1, squeeze=False)[:, 0]
    panels = np.array([part.subplots(1, len(names), sharey=True, squeeze=False)[0] for part in parts])
    for part, line, setting in zip(parts, panels, settings, strict=True):
        part.suptitle(setting, fontsize=TEXT, fontweight="bold")
        for axis, name in zip(line, names, strict=True):
            found = others[(others["setting"] == setting) & (others["figure"] == name)].set_index("variant").loc[variants]
            axis.axvline(0, color="black", linewidth=0.8)
            axis.hlines(rows, found["low_seeds"], found["high_seeds"], color=CYCLE[0], linewidth=1)
            axis.hlines(rows, found["low"], found["high"], color=CYCLE[5], linewidth=4)
            fill = np.where(found["shown"], CYCLE[0], "white")
            axis.scatter(found["difference"], rows, s=20, c=fill, edgecolors=CYCLE[0], zorder=3)
            axis.set(ylim=(len(variants) - 0.5, -0.5), yticks=rows, yticklabels=variants)
            axis.tick_params(axis="y", length=0)
            axis.grid(axis="x", alpha=0.3)
            _text(axis, title=FIGURES[name])
    for column, name in zip(panels.T, names, strict=True):  # one scale a figure, so that settings compare
        ends = others.loc[others["figure"] == name, ["low", "high", "low_seeds", "high_seeds"]].to_numpy()
        low, high = min(0, np.nanmin(ends)), max(0, np.nanmax(ends))
        margin = 0.05 * (high - low) or 1
        for axis in column:
            axis.set_xlim(low - margin, high + margin)
            axis.xaxis.set_major_locator(MaxNLocator(5))
    _text(panels[-1, len(names) // 2], xlabel=f"difference to “{baseline}”, percentage points")
    marks = [
        Line2D([], [], color=CYCLE[5], linewidth=4, label="95 %, other people"),
        Line2D([], [], color=CYCLE[0], linewidth=1, label="95 %, other people and trainings"),
        Line2D([], [], color=CYCLE[0], marker="o", linestyle="", markersize=4.5, label="interval excludes 0"),
    ]
    marks = [mark for mark in marks if mark is not marks[1] or others["low_seeds"].notna().any()]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False, fontsize=SMALL)
    return figure


def _sheet(
    shape: tuple[int, ...], rows: Sequence[str], columns: Sequence[str], groups: Sequence[str] = ()
) -> tuple[Figure, np.ndarray]:
    """A figure of empty places for images of this shape, and its axes (rows, columns), with names at the top and on the left."""
    groups = groups or [""] * len(columns)
    names = list(zip(groups, columns, strict=True))
    new = [_starts(groups), _starts(names)]
    gap = 0.04 if any(groups) else 0.08  # inches; frames of ranked lists need room
    gaps = np.where(new[1], gap, 0.02)  # before each column
    gaps[new[0]] = 0.14 if any(groups) else gap
    left, head = 0.12 + 0.13 * max(1 + name.count("\n") for name in rows), 0.18 + 0.19 * any(groups)
    width = min(CELL, TALL * shape[1] / shape[0], (WIDTH - left - gaps[1:].sum()) / len(columns))
    height = width * shape[0] / shape[1]
    starts = left + np.cumsum(gaps) - gaps[0] + width * np.arange(len(columns))
    page = np.array([starts[-1] + width + 0.02, head + len(rows) * (height + gap)])
    figure = Picture(page)
    places = [[(x, page[1] - head - height - row * (height + gap)) for x in starts] for row in range(len(rows))]
    grid = np.array([[figure.add_axes((*(corner / page), *((width, height) / page))) for corner in line] for line in places])
    for axis in grid.flat:
        _place(axis, None)
    for axis, name in zip(grid[:, 0], rows, strict=True):
        axis.set_ylabel(name, fontsize=_fitting(rows, height), labelpad=2)
    runs = [(first, last, starts[last] + width - starts[first]) for first, last in _runs(new[1])]
    size = min(_fitting([columns[first]], span) for first, _, span in runs)
    for first, _, span in runs:
        grid[0, first].set_title(columns[first], fontsize=size, pad=3, x=span / width / 2)
    for first, last in _runs(new[0]) if any(groups) else ():
        ends, line = np.array([starts[first], starts[last] + width]) / page[0], 1 - 0.17 / page[1]
        figure.add_artist(Line2D(ends, [line, line], color=COLOURS.get(groups[first], "black"), linewidth=1.5))
        size = _fitting([groups[first]], (ends[1] - ends[0]) * page[0])
        figure.text(ends.mean(), line + 0.03 / page[1], groups[first], fontsize=size, ha="center", va="bottom")
    return figure, grid


def _starts(names: Sequence) -> list[bool]:
    """Whether each name differs from the one before it."""
    return [not number or names[number - 1] != name for number, name in enumerate(names)]


def _runs(starts: Sequence[bool]) -> list[tuple[int, int]]:
    """First and last position of each run."""
    first = np.flatnonzero(starts)
    return list(zip(first, [*first[1:] - 1, len(starts) - 1], strict=True))


def _fitting(texts: Sequence[str], inches: float) -> float:
    """Size in points at which no line of the texts is longer than this; a letter is about 0.65 as wide as it is high."""
    longest = max(len(line) for text in texts for line in text.split("\n"))
    return min(SMALL, inches * 72 / (0.65 * max(1, longest)))


def _place(axis: Axes, picture: np.ndarray | None) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if picture is not None:
        axis.imshow(picture, interpolation="antialiased")


def _text(axis: Axes, **texts: str) -> None:
    """Title and labels of an axis, in the sizes of a printed page."""
    axis.set(**texts)
    for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
        text.set_fontsize(TEXT)
    axis.tick_params(labelsize=SMALL)
