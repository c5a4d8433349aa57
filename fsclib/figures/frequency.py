"""Feature maps in the frequency domain: spectra before and after each module, profiles, transfers, and the modality gap."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from fsclib.figures.style import COLOURS, CYCLE, SMALL, STYLES, TEXT, WIDTH, Picture, decades, labelled

Curves = Mapping[str, Mapping[str, pd.DataFrame]]  # modality → point → frequency, mean, low, high
RADIUS = "cycles per image height"


def module_spectra(
    pictures: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]], boxes: Mapping[str, tuple[slice, slice]]
) -> Figure:
    """Centred log₁₀ |F| (H, W) by chain, modality and point: one row and one scale per chain, with the low-frequency box.

    An empty box is not drawn.
    """
    columns = max(sum(len(points) for points in line.values()) for line in pictures.values())
    layout = ConstrainedLayoutEngine(w_pad=0.02, wspace=0.02)
    figure = Picture((WIDTH, 0.2 + 2.2 * len(pictures)), layout=layout)
    parts = figure.subfigures(len(pictures), 1, squeeze=False)[:, 0]
    for part, (chain, modalities) in zip(parts, pictures.items(), strict=True):
        axes = part.subplots(1, columns, squeeze=False)[0]
        flat = [(modality, name, log) for modality, points in modalities.items() for name, log in points.items()]
        low, high = min(log.min() for *_, log in flat), max(log.max() for *_, log in flat)
        for axis, (modality, name, log) in zip(axes, flat, strict=False):
            shown = _spectrum(axis, log, boxes[chain], low, high)
            first = axis is axes[0]
            title = f"{modality}\n{_short(name, chain)}"
            labelled(axis, title=title, xlabel="cycles\nper width", ylabel="cycles per height" if first else "")
            axis.title.set_color(COLOURS.get(modality, "black"))
            if not first:
                axis.set_yticks([])  # as in the first; ticks take most of the drawing time
        for axis in axes[len(flat) :]:
            axis.set_axis_off()
        bar = part.colorbar(shown, ax=axes, aspect=25)
        labelled(bar.ax, ylabel="log₁₀ |F|")
        part.suptitle(chain, fontsize=TEXT, fontweight="bold")
    return figure


def _spectrum(axis: Axes, log: np.ndarray, box: tuple[slice, slice], low: float, high: float) -> AxesImage:
    (bottom, top), (left, right) = ((-(n // 2) - 0.5, (n - 1) // 2 + 0.5) for n in log.shape)  # centres of pixels
    extent = (left, right, bottom, top)
    shown = axis.imshow(log, cmap="viridis", vmin=low, vmax=high, extent=extent, origin="lower", aspect="auto")
    rows, columns = box
    wide, tall = columns.stop - columns.start, rows.stop - rows.start
    if wide and tall:
        corner = left + columns.start, bottom + rows.start
        axis.add_patch(Rectangle(corner, wide, tall, fill=False, edgecolor="white", linewidth=1, linestyle=(0, (3, 1.5))))
    axis.xaxis.set_major_locator(MaxNLocator(2, integer=True, symmetric=True))
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return shown


def radial(profiles: Mapping[str, Curves], transfers: Mapping[str, Curves]) -> Figure:
    """Energy per frequency by radius before and after each module, and |Y|/|X| per channel of each module, with bands.

    One row per chain, one column per kind and modality; a point has one colour in all panels of its chain.
    """
    modalities = list(next(iter(profiles.values())))
    kinds = [("energy |F|²", profiles)] + [("|Y|/|X| per channel", transfers)] * any(
        t for c in transfers.values() for t in c.values()
    )
    figure = Picture((WIDTH, 0.2 + 2.1 * len(profiles)), layout="constrained")
    parts = figure.subfigures(len(profiles), 1, squeeze=False)[:, 0]
    for part, chain in zip(parts, profiles, strict=True):
        names = list(profiles[chain][modalities[0]])
        looks = {name: {"color": CYCLE[n % len(CYCLE)], "linestyle": STYLES[n % len(STYLES)]} for n, name in enumerate(names)}
        axes = part.subplots(1, len(kinds) * len(modalities), squeeze=False)[0].reshape(len(kinds), -1)
        for line, (kind, curves) in zip(axes, kinds, strict=True):
            for axis, modality in zip(line, modalities, strict=True):
                for name, curve in curves[chain][modality].items():
                    _banded(axis, curve, "mean", _short(name, chain), looks[name])
                labelled(axis, title=f"{modality}", xlabel=RADIUS, ylabel=kind if axis is line[0] else "")
                axis.title.set_color(COLOURS.get(modality, "black"))
                axis.sharey(line[0])
                axis.tick_params(labelleft=axis is line[0])
        axes[0, 0].set_yscale("log")
        decades(axes[0, 0].yaxis)
        for axis in axes[1:].flat:
            if len(names) > 1:
                axis.axhline(1, color="black", linewidth=0.6)
                axis.set_ylim(0, 1.1 * max(1, axes[1, 0].dataLim.y1, axes[1, -1].dataLim.y1))
            else:
                axis.set_visible(False)  # hides the title too
        _legend(part, axes[0, 0], chain)
    return figure


def pooled_transfers(pooled: Mapping[str, Mapping[str, Curves]]) -> Figure:
    """|Y|/|X| of all channels together, "pooled", with bands, and what scaling each channel would give, "scaling only", thin.

    One panel per chain and modality, four in a line.
    """
    panels = [(chain, modality) for chain, curves in pooled["pooled"].items() for modality, line in curves.items() if line]
    lines = -(-len(panels) // 4)
    figure = Picture((WIDTH, 0.2 + 2.2 * lines), layout="constrained")
    axes = figure.subplots(lines, 4, squeeze=False, sharey=True)
    for axis, (chain, modality) in zip(axes.flat, panels, strict=False):
        for number, (name, curve) in enumerate(pooled["pooled"][chain][modality].items(), 1):  # colours as in `radial`
            look = {"color": CYCLE[number % len(CYCLE)], "linestyle": STYLES[number % len(STYLES)]}
            _banded(axis, curve, "mean", _short(name, chain), look)
            control = pooled["scaling only"][chain][modality][name]
            label = "scaling only" if number == 1 else None
            axis.plot(control["frequency"], control["mean"], color="black", linewidth=0.8, linestyle=look["linestyle"], label=label)
        axis.axhline(1, color="black", linewidth=0.6)
        labelled(axis, title=f"{chain}\n{modality}", xlabel=RADIUS, ylabel="|Y|/|X| pooled" if axis in axes[:, 0] else "")
        axis.title.set_color(COLOURS.get(modality, "black"))
        long = any(len(_short(name, chain)) > 8 for name in pooled["pooled"][chain][modality])
        place: dict[str, Any] = {"loc": "upper center", "ncols": 1 if long else 2, "handlelength": 1.5, "columnspacing": 1}
        axis.legend(frameon=False, fontsize=SMALL, **place).set_in_layout(False)
    axes[0, 0].set_ylim(0, 1.5 * max(axis.dataLim.y1 for axis in axes.flat[: len(panels)]))  # room for the legends
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    return figure


def gap_by_radius(gaps: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """Distance of mean visible and infrared spectra by radius, with intervals, from spectral_gap.by_radius: one panel per chain."""
    figure = Picture((WIDTH, 2.6 * -(-len(gaps) // 3)), layout="constrained")
    axes = figure.subplots(-(-len(gaps) // 3), min(3, len(gaps)), squeeze=False, sharey=True)
    for axis, (chain, points) in zip(axes.flat, gaps.items(), strict=False):
        for number, (name, table) in enumerate(points.items()):
            look = {"color": CYCLE[number % len(CYCLE)], "linestyle": STYLES[number % len(STYLES)]}
            _banded(axis, table, "distance", _short(name, chain), look)
        labelled(axis, title=chain, xlabel=RADIUS, ylabel="visible–infrared distance d(r)" if axis in axes[:, 0] else "")
        axis.set_ylim(0, None)
        if len(points) > 1:
            long = any(len(_short(name, chain)) > 8 for name in points)
            axis.legend(frameon=False, fontsize=SMALL, ncols=1 if long else 2)
    for axis in axes.flat[len(gaps) :]:
        axis.set_axis_off()
    return figure


def _banded(axis: Axes, table: pd.DataFrame, column: str, label: str, look: Mapping[str, Any]) -> None:
    frequency = table["frequency"]
    marker = "." if len(frequency) < 16 else ""  # few radii: show the points; the line only guides the eye
    axis.fill_between(frequency, table["low"], table["high"], color=look["color"], alpha=0.2, linewidth=0)
    axis.plot(frequency, table[column], label=label, marker=marker, markersize=4, linewidth=1.2, **look)
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.grid(alpha=0.3)


def _legend(part: SubFigure, axis: Axes, chain: str) -> None:
    marks, names = axis.get_legend_handles_labels()
    place: dict[str, Any] = {"loc": "outside upper center", "ncols": len(names), "frameon": False, "fontsize": SMALL}
    part.legend(marks, names, title=chain, title_fontproperties={"size": TEXT, "weight": "bold"}, **place)


def _short(name: str, chain: str) -> str:
    """A point without the name of its chain."""
    return name.removeprefix(f"{chain} ")
