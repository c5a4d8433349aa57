"""Curves of a run: training and cumulative matching."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fsclib.figures.style import CYCLE, SMALL, STYLES, WIDTH, Picture, decades, labelled, plain

LOSSES = ("identity", "triplet", "cpm", "orthogonality", "infonce", "attributes")
WEIGHTED = LOSSES[2:]  # parts whose weight is the parameter <part>_weight
RAMPED = ("cpm", "orthogonality")  # see Objective.weights_at
REFERENCE = {"color": "dimgrey", "linestyle": ":", "linewidth": 0.8}
LINE = 0.14  # inches per line of a legend
# legends go above their panel, which the curves fill
ABOVE: dict[str, Any] = {
    "loc": "lower center", "bbox_to_anchor": (0.5, 1), "borderaxespad": 0.2, "frameon": False, "fontsize": SMALL,
}  # fmt: skip


def training_curves(log: pd.DataFrame, recipe: Mapping[str, Any] | None = None, num_classes: int = 0) -> Figure:
    """Losses by part, learning rate and, with validation, rank-1 and mAP, over the epochs of a log.

    recipe: the weights of the parts, the ramp and the triplet's margin, by the names of Config; parts that are ramped in are shown
    as they count in the total. num_classes: training identities; the identity loss starts near its logarithm. Without them nothing
    is weighted or marked.
    """
    if log.empty:
        raise ValueError("log: found no epoch, expected at least one; train the run first")
    validated = log.dropna(subset=["val_map"]) if "val_map" in log else log.iloc[:0]
    parts = _weighted(log, recipe) if recipe else {part: log[part] for part in LOSSES if part in log}
    shown = {label: values for label, values in parts.items() if (values.abs() > 0).any()}
    figure = Picture((WIDTH, 2.3 + LINE * math.ceil(len(shown) / 2)), layout="constrained")
    axes = figure.subplots(1, 2 + bool(len(validated)))
    epoch = log["epoch"] + 1
    colours = dict(zip(parts, CYCLE, strict=False))
    for label, values in shown.items():
        axes[0].plot(epoch, values, color=colours[label], label=label, marker=".", markersize=3)
    marks = {"ln C": math.log(num_classes)} if num_classes else {}
    marks |= {"margin": recipe["triplet_margin"]} if recipe and recipe["loss"] == "fsc" else {}
    for label, value in marks.items():
        axes[0].axhline(value, **REFERENCE)
        # beside the panel, clear of the curves
        place = {"ha": "left", "va": "center", "transform": axes[0].get_yaxis_transform()}
        axes[0].text(1.02, value, label, fontsize=SMALL, color=REFERENCE["color"], **place)
    axes[0].set_yscale("symlog", linthresh=0.01)  # a part may be zero or negative
    if not any((values < 0).any() for values in shown.values()):
        highest = max([*(values.max() for values in shown.values()), *marks.values()], default=1)
        axes[0].set_ylim(0, 1.5 * highest)
    axes[0].yaxis.set_major_formatter("{x:g}")
    labelled(axes[0], ylabel=f"loss, mean of the epoch, {'weighted' if recipe else 'unweighted'}")
    axes[1].set_yscale("log")
    if 0 < (rate := log["lr"].max()) == log["lr"].min():  # matplotlib finds no limits around a single small number
        axes[1].set_ylim(rate / 2, rate * 2)
    axes[1].plot(epoch, log["lr"], color=CYCLE[0], drawstyle="steps-mid", marker=".", markersize=3)
    decades(axes[1].yaxis)
    labelled(axes[1], ylabel="learning rate, neck and classifier")
    if len(validated):
        for column, label, colour in (("val_rank1", "rank-1", CYCLE[0]), ("val_map", "mAP", CYCLE[1])):
            axes[2].plot(
                validated["epoch"] + 1, validated[column], color=colour, label=label, marker="o", markersize=3, clip_on=False
            )
        if "val_chance" in validated:
            axes[2].plot(validated["epoch"] + 1, validated["val_chance"], label="rank-1 by chance", **REFERENCE)
        axes[2].set_ylim(0, 100)
        labelled(axes[2], ylabel="validation, infrared → visible, %")
    for axis in axes:
        labelled(axis, xlabel="epoch")
        axis.set_xlim(epoch.min() - 0.5, epoch.max() + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        if axis is not axes[1]:
            axis.legend(ncols=2, **ABOVE)
    return figure


def _weighted(log: pd.DataFrame, recipe: Mapping[str, Any]) -> dict[str, pd.Series]:
    """Label → contribution of a part to the total in each epoch.

    The log does not record the ramp, but the total implies it: the total minus the other parts is the ramped parts' contribution.
    """
    weights = {part: recipe[f"{part}_weight"] if part in WEIGHTED else 1 for part in LOSSES if part in log}
    parts = {part: weight * log[part] for part, weight in weights.items()}
    whole = sum(parts[part] for part in RAMPED)
    if recipe["ramp_from"] or recipe["ramp_steps"]:
        rest = log["total"] - sum(values for part, values in parts.items() if part not in RAMPED)
        ramp = (rest / whole.where(whole != 0, 1)).clip(0, 1)
        parts |= {part: ramp * parts[part] for part in RAMPED}
    return {part if weights[part] == 1 else f"{weights[part]:g} × {part}": values for part, values in parts.items()}


def cmc_curves(
    curves: Mapping[str, np.ndarray], references: Mapping[str, Mapping[str, np.ndarray]] | None = None, select_on: str = ""
) -> Figure:
    """Matching rates (20,) in per cent by rank, one curve per name; for several trials pass (trials, 20): mean and range.

    references: name of a curve → reference such as chance → (20,), drawn thin in the colour of the curve. select_on: how the
    tested epoch was chosen; the figure says so if it is "test".
    """
    figure = Picture((WIDTH * 0.65, 3.0), layout="constrained")
    axis = figure.subplots()
    several = False
    dashes: dict[str, str] = {}
    for number, (name, curve) in enumerate(curves.items()):
        trials = np.atleast_2d(curve)
        ranks = np.arange(1, trials.shape[1] + 1)
        several |= len(trials) > 1
        colour, style = CYCLE[number % len(CYCLE)], STYLES[number // len(CYCLE) % len(STYLES)]
        axis.plot(ranks, trials.mean(0), color=colour, linestyle=style, label=plain(name), marker=".", markersize=4)
        axis.fill_between(ranks, trials.min(0), trials.max(0), color=colour, alpha=0.15, linewidth=0)
        for method, line in (references or {}).get(name, {}).items():
            dash = dashes.setdefault(method, (":", "--", "-.")[len(dashes) % 3])
            axis.plot(ranks, line, color=colour, linestyle=dash, linewidth=0.8)
    for method, dash in dashes.items():
        axis.plot([], [], color="black", linestyle=dash, linewidth=0.8, label=plain(method))
    if several:
        axis.fill_between([], [], [], color="black", alpha=0.15, linewidth=0, label="range over trials")
    axis.set(xticks=(1, 5, 10, 15, 20), ylim=(None, 100.5))
    chosen = "\nepoch chosen on the test images: too high" if select_on == "test" else ""
    labelled(axis, xlabel=f"rank{chosen}", ylabel="queries with a match up to this rank, %")
    labels = axis.get_legend_handles_labels()[1]
    columns = 2 if max(map(len, labels), default=0) <= 30 else 1  # two columns if they fit
    axis.legend(ncols=columns, **ABOVE)
    figure.set_figheight(3.0 + LINE * math.ceil(len(labels) / columns))
    axis.grid(alpha=0.3)
    return figure
