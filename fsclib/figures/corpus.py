"""Properties of a data set without any network: spectra of its images, and identity leaks through their borders."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fsclib.figures.style import COLOURS, CYCLE, SMALL, STYLES, WIDTH, Picture, decades, labelled


def spectra(amplitudes: Mapping[str, np.ndarray], profiles: Mapping[str, pd.DataFrame], difference: pd.DataFrame) -> Figure:
    """Mean log-amplitude spectra (H, W) by modality, on one scale, their radial profiles, and the difference of these.

    difference: columns frequency, decibel, low and high, of the second modality relative to the first.
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
        # a frequency is at the centre of its pixel
        (bottom, top), (left, right) = ((-(n // 2) - 0.5, (n - 1) // 2 + 0.5) for n in log.shape)
        shown = axis.imshow(log, cmap="viridis", vmin=low, vmax=high, extent=(left, right, bottom, top), origin="lower")
        labelled(axis, title=name, xlabel="cycles per width", ylabel="cycles per height" if axis is pictures[0] else "")
        axis.xaxis.set_major_locator(MaxNLocator(3, symmetric=True))
        axis.tick_params(labelleft=axis is pictures[0])
    bar = figure.colorbar(shown, ax=pictures, shrink=0.8, aspect=30)
    labelled(bar.ax, ylabel="log₁₀ of mean |F| in grey levels")
    for (name, profile), style in zip(profiles.items(), STYLES, strict=False):
        curve.loglog(profile["frequency"], profile["amplitude"], color=COLOURS.get(name), linestyle=style, label=name)
    labelled(curve, title="radial profile", ylabel="mean |F|, grey levels")
    curve.tick_params(labelbottom=False)
    curve.legend(frameon=False, fontsize=SMALL)
    ratio.axhline(0, color="black", linewidth=0.6)
    band: dict[str, Any] = {"color": CYCLE[3], "alpha": 0.3, "linewidth": 0, "label": "95 % interval"}
    ratio.fill_between(difference["frequency"], difference["low"], difference["high"], **band)
    ratio.plot(difference["frequency"], difference["decibel"], color=CYCLE[3])
    first, second = profiles
    labelled(ratio, xlabel="frequency, cycles per image width", ylabel=f"{second}\nover {first}, dB")
    decades(curve.yaxis)
    decades(ratio.xaxis)
    ratio.legend(frameon=False, fontsize=SMALL)
    return figure


def leak(table: pd.DataFrame) -> Figure:
    """Accuracies of background.table with intervals and chance: one panel per modality, one row per classifier."""
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
        labelled(axis, title=modality, xlabel="correct person named, %")
    marks, names = panels[0].get_legend_handles_labels()
    figure.legend(marks, names, loc="outside lower center", ncols=len(names), markerscale=0.7, frameon=False, fontsize=SMALL)
    return figure
