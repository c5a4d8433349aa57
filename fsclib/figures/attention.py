"""Attention: maps overlaid on their images, and the shares of attention on body, bag and background."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from fsclib.figures.sheets import BELOW, empty_sheet, put
from fsclib.figures.style import CYCLE, SMALL, WIDTH, Picture, labelled, plain

MAP: dict[str, Any] = {"cmap": "inferno", "vmin": 0, "vmax": 1}  # even increase in lightness, also for colour-blind readers
COVER = 0.6  # opacity of a map over its image
FOOT = 0.5  # inches for the colour bar


def map_sheet(
    pictures: Sequence[Sequence[np.ndarray]],
    maps: Sequence[Sequence[np.ndarray | None]],
    captions: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    groups: Sequence[str],
) -> Figure:
    """Images (H, W, 3) uint8 in rows and columns, in grey under a non-negative map (h, w), or in colour without one.

    Each map is scaled to its own maximum and interpolated linearly. captions: a text under each image.
    """
    figure, grid = empty_sheet(pictures[0][0].shape, rows, columns, groups, BELOW, FOOT)
    for line in zip(pictures, maps, captions, grid, strict=True):
        for picture, found, caption, axis in zip(*line, strict=True):
            axis.set_xlabel(plain(caption), fontsize=SMALL - 1, labelpad=1.5)
            if found is None:
                put(axis, picture)
                continue
            height, width = picture.shape[:2]
            axis.imshow(picture.mean(2), cmap="gray", vmin=0, vmax=255)
            scaled = found / (found.max() or 1)
            axis.imshow(scaled, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="bilinear", alpha=COVER, **MAP)
    width, height = figure.get_size_inches()
    bar = figure.add_axes((0.5 - 0.7 / width, (FOOT - 0.27) / height, 1.4 / width, 0.08 / height))
    figure.colorbar(ScalarMappable(norm=None, cmap=MAP["cmap"]), cax=bar, orientation="horizontal", ticks=(0, 1))
    bar.set_xticklabels(["mean or less", "maximum"])
    bar.tick_params(labelsize=SMALL, length=2, pad=1)
    bar.set_title("attention, each map scaled separately", fontsize=SMALL, pad=2)
    return figure


def attention_shares(table: pd.DataFrame) -> Figure:
    """Shares of attention, intervals and areas, from shares.summary: one panel per kind and modality, one row per target."""
    kinds, modalities, targets, networks = (table[name].unique() for name in ("kind", "modality", "target", "network"))
    figure = Picture((WIDTH, 0.75 + len(modalities) * (0.35 + 0.22 * len(targets))), layout="constrained")
    grid = figure.subplots(len(modalities), len(kinds), sharex="col", sharey=True, squeeze=False)
    rows = np.arange(len(targets))
    for modality, line in zip(modalities, grid, strict=True):
        labelled(line[0], ylabel=modality)
        for kind, axis in zip(kinds, line, strict=True):
            part = table[(table["kind"] == kind) & (table["modality"] == modality)]
            for number, (network, lower) in enumerate(zip(networks, np.linspace(-0.15, 0.15, len(networks)), strict=True)):
                found = part[part["network"] == network].set_index("target").loc[targets]
                sides = np.abs(found[["low", "high"]].to_numpy().T - found["share"].to_numpy())
                mark = {"fmt": "os^Dv"[number % 5], "color": CYCLE[number % len(CYCLE)], "markersize": 4, "elinewidth": 1.5}
                axis.errorbar(found["share"], rows + lower, xerr=sides, label=plain(network), **mark)
            area = part.drop_duplicates("target").set_index("target").loc[targets, "area"]
            axis.plot(area, rows, "k|", markersize=16, label="share of the area")
            axis.set(ylim=(len(targets) - 0.5, -0.5), yticks=rows, yticklabels=list(map(plain, targets)))
            axis.grid(axis="x", alpha=0.3)
            labelled(axis)
    for kind, top, bottom in zip(kinds, grid[0], grid[-1], strict=True):
        labelled(top, title=kind)
        labelled(bottom, xlabel="share of attention, %")
    marks, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(marks, names, loc="outside lower center", ncols=len(names), markerscale=0.7, frameon=False, fontsize=SMALL)
    return figure
