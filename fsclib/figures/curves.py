"""Curves of a run: training, and cumulative matching."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fsclib.figures.style import CYCLE, SMALL, STYLES, WIDTH, Picture, decades, labelled, plain

LOSSES = ("identity", "triplet", "cpm", "orthogonality", "infonce", "attributes")
WEIGHTED = LOSSES[2:]  # parts whose weight is a parameter, of their name


def training_curves(log: pd.DataFrame, recipe: Mapping[str, float] | None = None, num_classes: int = 0) -> Figure:
    """Losses by part, learning rate and, where there was a validation, rank-1 and mAP, over the epochs of a log.

    recipe: the weights by which parts are multiplied, once they are ramped in, and the triplet's margin, by the names of Config;
    num_classes: training identities, whose logarithm the identity loss starts from. Without them nothing is weighted or marked.
    """
    if log.empty:
        raise ValueError("log: found no epoch, expected at least one; train the run first")
    validated = log.dropna(subset=["val_map"]) if "val_map" in log else log.iloc[:0]
    figure = Picture((WIDTH, 2.4), layout="constrained")
    axes = figure.subplots(1, 2 + bool(len(validated)))
    epoch = log["epoch"] + 1
    for part, colour in zip(LOSSES, CYCLE, strict=False):
        if part in log and (log[part].abs() > 0).any():
            weight = recipe[f"{part}_weight"] if recipe and part in WEIGHTED else 1
            label = part if weight == 1 else f"{weight:g} × {part}"
            axes[0].plot(epoch, weight * log[part], color=colour, label=label, marker=".", markersize=3)
    marks = {"ln C": np.log(num_classes)} if num_classes else {}
    marks |= {"margin": recipe["triplet_margin"]} if recipe and recipe["loss"] == "fsc" else {}
    for label, value in marks.items():
        axes[0].axhline(value, color="black", linestyle=":", linewidth=0.8)
        axes[0].text(0.99, value, label, fontsize=SMALL, ha="right", va="bottom", transform=axes[0].get_yaxis_transform())
    axes[0].set_yscale("symlog", linthresh=0.01)  # a part may be zero or negative
    axes[0].yaxis.set_major_formatter("{x:g}")
    labelled(axes[0], ylabel=f"loss, mean of the epoch, {'weighted' if recipe else 'unweighted'}")
    axes[1].plot(epoch, log["lr"], color=CYCLE[0], drawstyle="steps-mid", marker=".", markersize=3)
    axes[1].set_yscale("log")
    decades(axes[1].yaxis)
    labelled(axes[1], ylabel="learning rate, neck and classifier")
    if len(validated):
        for column, label, colour in (("val_rank1", "rank-1", CYCLE[0]), ("val_map", "mAP", CYCLE[1])):
            axes[2].plot(
                validated["epoch"] + 1, validated[column], color=colour, label=label, marker="o", markersize=3, clip_on=False
            )
        axes[2].set_ylim(0, 100)
        labelled(axes[2], ylabel="validation, infrared → visible, %")
    for axis in axes:
        labelled(axis, xlabel="epoch")
        axis.set_xlim(epoch.min() - 0.5, epoch.max() + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        if axis is not axes[1]:  # above the panel: curves fill the rest
            place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "borderaxespad": 0.2}
            axis.legend(frameon=False, fontsize=SMALL, ncols=2, **place)
    return figure


def cmc_curves(curves: Mapping[str, np.ndarray], references: Mapping[str, Mapping[str, np.ndarray]] | None = None) -> Figure:
    """Matching rates (20,) in per cent by rank, a curve a name; with more than one trial pass (trials, 20): mean and range.

    references: name of a curve → what it is to be compared with, such as chance → (20,), drawn thin in its colour.
    """
    figure = Picture((WIDTH * 0.65, 3.2), layout="constrained")
    axis = figure.subplots()
    several, dashes = False, {}
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
        axis.plot([], [], color="black", linestyle=dash, linewidth=0.8, label=method)
    if several:
        axis.fill_between([], [], [], color="black", alpha=0.15, linewidth=0, label="range over trials")
    axis.set(xticks=(1, 5, 10, 15, 20), ylim=(None, 100.5))
    labelled(axis, xlabel="rank", ylabel="queries with a match up to this rank, %")
    axis.legend(frameon=False, fontsize=SMALL)
    axis.grid(alpha=0.3)
    return figure
