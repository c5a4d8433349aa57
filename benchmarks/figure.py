"""Draws the results of one machine: the speedup of fsclib, the memory it saves, and how both sides scale."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks import words
from benchmarks.case import FSCLIB, PLAIN
from benchmarks.cases import CASES
from benchmarks.scaling import SCALINGS
from fsclib.figures.style import CYCLE, SMALL, TEXT, WIDTH, Picture, labelled
from fsclib.system.storage import replacing

COLUMNS = 3  # panels of curves side by side
BAR, PANEL = 0.26, 1.75  # inches of height
CURVES = {  # name → legend, colour, line, mark
    "plain": ("plain transcription, float32", CYCLE[1], "--", "s"),
    "fsclib": ("fsclib, float32", CYCLE[0], "-", "o"),
    "fsclib, bfloat16": ("fsclib, bfloat16", CYCLE[2], "-", "^"),
}


def draw(results: Mapping[str, Any], file: Path) -> list[Path]:
    """Writes the figure as PDF and PNG beside the file of results; returns their paths."""
    figure, written = picture(results), []
    for kind, metadata in (("pdf", {"CreationDate": None}), ("png", None)):  # no date: the same results give the same file
        with replacing(file.with_suffix(f".{kind}")) as part:
            figure.savefig(part, format=kind, dpi=200, bbox_inches="tight", metadata=metadata)
        written.append(file.with_suffix(f".{kind}"))
    return written


def picture(results: Mapping[str, Any]) -> Figure:
    """Bars of all cases above, panels of all curves below, if there are any."""
    cases = {name: results["cases"][name] for name in CASES if name in results["cases"]}
    curves = {name: results["curves"][name] for name in SCALINGS if name in results["curves"]}
    rows = -(-len(curves) // COLUMNS)
    heights = [0.9 + BAR * len(cases)] * bool(cases) + [0.4 + PANEL * rows] * bool(curves)
    figure = Picture((WIDTH, 0.3 + sum(heights)), layout="constrained")
    figure.suptitle(results["machine"], fontsize=TEXT, fontweight="bold")
    parts = iter(figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])
    if cases:
        _bars(next(parts), cases)
    if curves:
        _panels(next(parts), curves)
    return figure


def _bars(figure: Any, cases: Mapping[str, Any]) -> None:
    speed, memory = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    found, rows = list(cases.values()), np.arange(len(cases))
    ratios = np.array([[case["speedup"][part] for part in ("median", "low", "high")] for case in found])
    middle, low, high = ratios.T
    spread = {"ecolor": "black", "capsize": 2, "elinewidth": 0.8}
    speed.barh(rows, middle - 1, left=1, height=0.6, color=CYCLE[0], xerr=(middle - low, high - middle), error_kw=spread)
    _annotate(speed, high, [_speed_text(case) for case in found], room=0.65)
    held = np.array([[case[side]["megabytes"] for side in (PLAIN, FSCLIB)] for case in found])
    less = np.where((held < 1).any(1), 1, held[:, 0] / held[:, 1].clip(1e-9))  # below one megabyte the ratio is noise
    memory.barh(rows, less - 1, left=1, height=0.6, color=CYCLE[4])
    _annotate(memory, less, [f"{words.megabytes(a)} → {words.megabytes(b)}" for a, b in held], room=0.82)
    speed.set(ylim=(len(rows) - 0.5, -0.5), yticks=rows, yticklabels=[f"{case['title']}\n{case['size']}" for case in found])
    labelled(speed, xlabel="times as fast as the plain transcription (median, quartiles)")
    labelled(memory, xlabel="times less memory at the peak")
    speed.tick_params(axis="y", labelsize=SMALL - 1.5, length=0)
    memory.tick_params(axis="y", length=0)


def _speed_text(case: Mapping[str, Any]) -> str:
    plain, fsclib = (words.seconds(case[side]["seconds"]["median"]) for side in (PLAIN, FSCLIB))
    text = f"{case['speedup']['median']:.3g}×  {plain} → {fsclib}"
    share = case[FSCLIB].get("share_of_peak")
    return text if share is None else f"{text}, {100 * share:.0f} % of the matrix peak"


def _annotate(axis: Axes, ends: np.ndarray, texts: list[str], room: float) -> None:
    """A logarithmic axis of ratios with a text beside each bar. room: space beside the longest bar, as a share of the axis."""
    least, most = min(ends.min() * 0.8, 0.8), max(ends.max(), 2)
    axis.set_xscale("log")
    axis.set_xlim(least, most * (most / least) ** room)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    for row, (end, text) in enumerate(zip(ends, texts, strict=True)):
        axis.annotate(text, (max(end, 1), row), (4, 0), textcoords="offset points", va="center", fontsize=SMALL - 1)


def _panels(figure: Any, curves: Mapping[str, Any]) -> None:
    rows = -(-len(curves) // COLUMNS)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis, record in zip(axes, curves.values(), strict=False):
        _panel(axis, record)
    for axis in axes[len(curves) :]:
        axis.set_axis_off()
    marks = [Line2D([], [], color=c, linestyle=line, marker=m, markersize=4, label=text) for text, c, line, m in CURVES.values()]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False, fontsize=SMALL)


def _panel(axis: Axes, record: Mapping[str, Any]) -> None:
    for name, points in record["curves"].items():
        _, colour, line, mark = CURVES[name]
        x = [int(text) for text in points]
        median, low, high = (np.array([point[part] for point in points.values()]) for part in ("median", "low", "high"))
        axis.plot(x, median, color=colour, linestyle=line, marker=mark, markersize=3, linewidth=1)
        axis.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    ticks = sorted({int(text) for points in record["curves"].values() for text in points})
    if ticks and ticks[-1] > 4 * ticks[0]:
        axis.set_xscale("log")
    axis.set_xticks(ticks, [_count(tick) for tick in ticks], minor=False)
    axis.xaxis.set_minor_formatter(NullFormatter())
    if record["unit"] == "images/s":
        axis.set_ylim(0, None)
    else:
        axis.set_yscale("log")
    labelled(axis, title=record["title"], xlabel=record["x"], ylabel=record["unit"])
    axis.grid(alpha=0.3)


def _count(number: int) -> str:
    power = round(np.log10(number))
    return f"$10^{power}$" if number >= 1000 and number == 10**power else str(number)
