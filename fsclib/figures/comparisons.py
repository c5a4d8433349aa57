"""Differences to a baseline, with intervals."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fsclib.figures.style import CYCLE, SMALL, TEXT, WIDTH, Picture, labelled, plain
from fsclib.metrics.differences import FIGURES

LINE = 110  # characters of a heading that fit the width


def effects(table: pd.DataFrame, title: str = "") -> Figure:
    """Differences to the baseline with intervals, from Comparison.effects: one panel per setting and figure, one row per variant.

    title: what is compared, such as Comparison.title. Thick: 95 % over people; thin: over trainings, if there are several. A filled
    mark: significant (Comparison.effects).
    """
    others = table[table["difference"].notna()]
    (baseline,) = table.loc[table["difference"].isna(), "variant"].unique()
    settings, names, variants = (others[name].unique() for name in ("setting", "figure", "variant"))
    rows = np.arange(len(variants))
    heading = textwrap.fill(plain(title), LINE)
    height = 0.6 + 0.15 * len(heading.splitlines()) + len(settings) * (0.6 + 0.2 * len(variants))
    figure = Picture((WIDTH, height), layout="constrained")
    if heading:
        figure.suptitle(heading, fontsize=TEXT)
    parts = figure.subfigures(len(settings), 1, squeeze=False)[:, 0]
    panels = np.array([part.subplots(1, len(names), sharey=True, squeeze=False)[0] for part in parts])
    for part, line, setting in zip(parts, panels, settings, strict=True):
        part.suptitle(plain(setting), fontsize=TEXT, fontweight="bold")
        for axis, name in zip(line, names, strict=True):
            found = others[(others["setting"] == setting) & (others["figure"] == name)].set_index("variant").loc[variants]
            axis.axvline(0, color="black", linewidth=0.8)
            axis.hlines(rows, found["low_seeds"], found["high_seeds"], color=CYCLE[0], linewidth=1)
            axis.hlines(rows, found["low"], found["high"], color=CYCLE[5], linewidth=4)
            fill = np.where(found["significant"], CYCLE[0], "white")
            axis.scatter(found["difference"], rows, s=20, c=fill, edgecolors=CYCLE[0], zorder=3)
            axis.set(ylim=(len(variants) - 0.5, -0.5), yticks=rows, yticklabels=list(map(plain, variants)))
            axis.tick_params(axis="y", length=0)
            axis.grid(axis="x", alpha=0.3)
            labelled(axis, title=FIGURES[name])
    for column, name in zip(panels.T, names, strict=True):  # one scale per figure, so that settings are comparable
        ends = others.loc[others["figure"] == name, ["low", "high", "low_seeds", "high_seeds"]].to_numpy()
        low, high = min(0, np.nanmin(ends)), max(0, np.nanmax(ends))
        margin = 0.05 * (high - low) or 1
        for axis in column:
            axis.set_xlim(low - margin, high + margin)
            axis.xaxis.set_major_locator(MaxNLocator(5))
    marks = [
        Line2D([], [], color=CYCLE[5], linewidth=4, label="95 %, over people"),
        Line2D([], [], color=CYCLE[0], linewidth=1, label="95 %, over trainings"),
        Line2D([], [], color=CYCLE[0], marker="o", linestyle="", markersize=4.5, label="significant"),
    ]
    drawn = (True, others["low_seeds"].notna().any(), others["significant"].any())
    marks = [mark for mark, there in zip(marks, drawn, strict=True) if there]
    # the label of the axes heads the legend: below the last panels it would make them lower than the others
    unit = plain(f"difference to “{baseline}”, percentage points")
    place: dict[str, Any] = {"loc": "outside lower center", "ncols": len(marks), "frameon": False, "fontsize": SMALL}
    figure.legend(handles=marks, title=unit, title_fontsize=TEXT, **place)
    return figure
