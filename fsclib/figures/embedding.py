"""Embeddings of test images: a map, distances within and between people, the modality gap, and the views."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fsclib.figures.style import COLOURS, CYCLE, RIGHT, SMALL, WIDTH, WRONG, Picture, labelled, plain

MARKERS = {"visible": "o", "infrared": "^"}
SAME = "same person"
LINES: dict[str, dict[str, Any]] = {
    SAME: {"color": RIGHT, "linewidth": 1.2},
    "other people": {"color": WRONG, "linewidth": 1.2, "linestyle": (0, (3, 1))},
}
APART: dict[str, Any] = {"color": "black", "linewidth": 0.8, "linestyle": ":"}  # pairs that are not compared
LEGEND: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "markerscale": 0.8}


def embedding_map(maps: Mapping[str, pd.DataFrame]) -> Figure:
    """Maps from points.tsne, one panel per run: colour is person, marker is modality, a line joins a person's two centroids."""
    figure = Picture((WIDTH if len(maps) > 1 else 0.65 * WIDTH, 0.6 + 3.4 * -(-len(maps) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(maps) // 2), min(2, len(maps)), squeeze=False).ravel()
    for axis in panels[len(maps) :]:
        axis.set_visible(False)
    people = list(dict.fromkeys(who for points in maps.values() for who in points["identity"]))
    for axis, (name, points) in zip(panels, maps.items(), strict=False):
        for who, part in points.groupby("identity"):
            colour = CYCLE[people.index(who) % len(CYCLE)]
            for modality, marker in MARKERS.items():
                seen = part[part["modality"] == modality]
                face = colour if modality == "visible" else "white"
                axis.scatter(seen["x"], seen["y"], s=16, marker=marker, c=face, edgecolors=colour, linewidths=0.8)
            centres = part.groupby("modality")[["x", "y"]].mean()
            axis.plot(centres["x"], centres["y"], color="white", linewidth=3.5, zorder=3)
            axis.plot(centres["x"], centres["y"], color=colour, linewidth=1.5, zorder=4)
        axis.set(xticks=[], yticks=[])
        axis.margins(0.06)
        axis.set_aspect("equal", adjustable="datalim")
        labelled(axis, title=name if len(maps) > 1 else "", xlabel="t-SNE, no unit")
    marks = [Line2D([], [], color=CYCLE[i % len(CYCLE)], linewidth=3, label=f"person {who}") for i, who in enumerate(people)]
    for modality, marker in MARKERS.items():
        face = "black" if modality == "visible" else "white"
        marks.append(Line2D([], [], color="black", linestyle="", marker=marker, mfc=face, markersize=4.5, label=modality))
    marks.append(Line2D([], [], color="black", linewidth=1.5, label="between a person's centroids"))
    figure.legend(handles=marks, loc="outside lower center", ncols=5 if len(maps) > 1 else 3, **LEGEND)
    return figure


def distances(histograms: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """separation.histograms, one row of panels per run, one panel per kind of pair, with its overlap and AUC."""
    names, kinds = histograms["run"].unique(), histograms["kind"].unique()
    figure = Picture((WIDTH, 0.6 + 1.9 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), len(kinds), squeeze=False, sharex=True, sharey=True)
    for name, line in zip(names, panels, strict=True):
        for kind, axis in zip(kinds, line, strict=True):
            part = histograms[(histograms["run"] == name) & (histograms["kind"] == kind)]
            for pairs, seen in part.groupby("pairs", sort=False):
                middles, share = seen["distance"].to_numpy(), seen["share"].fillna(0).to_numpy()
                line_style = LINES.get(pairs, APART)
                axis.step(middles, share, where="mid", **line_style)
                if pairs in LINES:
                    axis.fill_between(middles, share, step="mid", color=line_style["color"], alpha=0.3, linewidth=0)
            found = table[(table["run"] == name) & (table["kind"] == kind) & (table["pairs"] == SAME)].set_index("figure")["value"]
            told = "only one camera" if np.isnan(found["AUC"]) else f"overlap {found['overlap']:.2f}\nAUC {found['AUC']:.2f}"
            axis.text(0.04, 0.94, told, transform=axis.transAxes, fontsize=SMALL, va="top")
            axis.set_xlim(0, histograms["distance"].max())
            axis.set_ylim(0, 1.35 * np.nanmax(histograms["share"]))  # room for the numbers
            labelled(axis, title=kind if name == names[0] else "", xlabel="cosine distance" if name == names[-1] else "")
        labelled(line[0], ylabel=(f"{name}\n" if len(names) > 1 else "") + "pairs per bin, %")
    marks = [Line2D([], [], label=pairs, **style) for pairs, style in LINES.items()]
    marks.append(Line2D([], [], label="same person, same camera (not compared)", **APART))
    figure.legend(handles=marks, loc="outside lower center", ncols=3, **LEGEND)
    return figure


def modality_gap(gaps: pd.DataFrame, mixing: pd.DataFrame) -> Figure:
    """Lengths of modality_gap.gaps, and shares of modality_gap.mixing, observed and by chance; one row per run, 95 % intervals."""
    names = list(gaps["run"].unique())
    figure = Picture((WIDTH, 1.3 + 0.45 * len(names)), layout="constrained")
    lengths, shares = figure.subplots(1, 2, sharey=True)
    told = {
        "gap": "between modalities",
        "own": "within a person, between modalities",
        "people": "between people, within a modality",
    }
    for number, (key, label) in enumerate(told.items()):
        part = gaps[gaps["figure"] == key].set_index("run").loc[names]
        _intervals(lengths, part, np.arange(len(names)) + 0.2 * (number - 1), "os^"[number], CYCLE[(0, 5, 3)[number]], label)
    for modality, lower in (("visible", -0.12), ("infrared", 0.12)):
        part = mixing[mixing["modality"] == modality]
        rows = np.arange(len(names)) + lower
        observed, chance = (part[part["figure"] == key].set_index("run").loc[names] for key in ("observed", "chance"))
        percent, colour = 100 * observed[["value", "low", "high"]], COLOURS[modality]
        _intervals(shares, percent, rows, MARKERS[modality], colour, f"of {modality} images")
        shares.plot(100 * chance["value"], rows, "|", color=colour, markersize=9, markeredgewidth=1.5)
    shares.errorbar([], [], fmt="k|", markersize=9, markeredgewidth=1.5, label="chance")  # an error bar: legends list lines first
    lengths.set(xlim=(0, None), ylim=(len(names) - 0.5, -0.5), yticks=range(len(names)), yticklabels=list(map(plain, names)))
    shares.set_xlim(-2, 100)
    labelled(lengths, xlabel="Euclidean distance of unit vectors")
    labelled(shares, xlabel="neighbours from the other modality, %")
    for axis in (lengths, shares):
        axis.grid(axis="x", alpha=0.3)
        axis.tick_params(axis="y", length=0)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), **LEGEND)
    return figure


def view_cosines(table: pd.DataFrame) -> Figure:
    """views.cosines: one panel per kind of features, one row per run and pair of views, 95 % intervals."""
    kinds, names = table["features"].unique(), list(dict.fromkeys(zip(table["run"], table["views"], strict=True)))
    several = table["run"].nunique() > 1
    figure = Picture((WIDTH, 1.1 + 0.24 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    told = {"same image": "two views of an image", "others": "two views, two people", "centred": "two views of an image, centred"}
    for axis, kind in zip(panels, kinds, strict=True):
        for number, (key, label) in enumerate(told.items()):
            part = table[(table["features"] == kind) & (table["figure"] == key)].set_index(["run", "views"]).loc[names]
            _intervals(axis, part, np.arange(len(names)) + 0.16 * (number - 1), "osD"[number], CYCLE[(0, 1, 2)[number]], label)
        axis.axvline(0, color="black", linewidth=0.6)
        low = min(-0.1, table["low"].min(), table["value"].min())
        axis.set(xlim=(low - 0.05, 1.05), ylim=(len(names) - 0.5, -0.5), yticks=range(len(names)))
        axis.set_yticklabels([plain(f"{run}, {views}" if several else views) for run, views in names])
        axis.grid(axis="x", alpha=0.3)
        axis.tick_params(axis="y", length=0)
        labelled(axis, title=f"{kind} features", xlabel="cosine")
    labelled(panels[0], ylabel="views")
    marks, texts = panels[0].get_legend_handles_labels()
    figure.legend(marks, texts, loc="outside lower center", ncols=len(told), **LEGEND)
    return figure


def _intervals(axis: Axes, part: pd.DataFrame, rows: np.ndarray, marker: str, colour: str, label: str) -> None:
    """Values with their intervals, if they have any."""
    sides = np.abs(part[["low", "high"]].to_numpy().T - part["value"].to_numpy())
    style: dict[str, Any] = {"fmt": marker, "color": colour, "markersize": 4.5, "elinewidth": 1.5, "label": label}
    axis.errorbar(part["value"], rows, xerr=np.nan_to_num(sides), clip_on=False, **style)
