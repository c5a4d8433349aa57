"""The gates of frequency semantic attention, and the gains that they allow."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fsclib.figures.style import COLOURS, CYCLE, SMALL, STYLES, WIDTH, Picture, labelled

BINS = 41  # odd, so that one bin is centred at 0


def gate_histograms(values: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> Figure:
    """Histograms over channels and images of w_R, w_I and w_R − w_I by module, modality and gate: one row per module."""
    names = list(next(iter(next(iter(values.values())).values())))
    figure = Picture((WIDTH, 0.3 + 1.7 * len(values)), layout="constrained")
    axes = figure.subplots(len(values), len(names), squeeze=False)
    for line, (module, modalities) in zip(axes, values.items(), strict=True):
        for axis, name in zip(line, names, strict=True):
            ends = np.concatenate([gate[name].ravel() for gate in modalities.values()])
            far = max(np.abs(ends).max(), 1e-3)  # zero differences give one bar instead of a scale of rounding errors
            edges = np.linspace(-far, far, BINS + 1) if (ends < 0).any() or np.ptp(ends) < 1e-3 else np.linspace(0, 1, BINS + 1)
            for (modality, gate), style in zip(modalities.items(), STYLES, strict=False):
                weights = np.full(gate[name].size, 100 / gate[name].size)
                look = {"color": COLOURS.get(modality), "linestyle": style, "histtype": "step", "linewidth": 1.3}
                axis.hist(gate[name].ravel(), edges, weights=weights, label=modality, **look)
            axis.set_xlim(edges[0], edges[-1])
            axis.xaxis.set_major_locator(MaxNLocator(4 if edges[0] == 0 else 2, symmetric=edges[0] < 0))
            first = axis is line[0]
            labelled(axis, xlabel=name, ylabel=f"{module}\nchannels × images, %" if first else "")
    marks, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(marks, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=SMALL)
    return figure


def gains(examples: Mapping[str, pd.DataFrame], places: Mapping[str, np.ndarray]) -> Figure:
    """|Y|/|X| of one channel of one image at every frequency between its two gates, and the place of all gains between theirs.

    examples: by title, columns radius, gain, fixed (whether the spectrum is real there by symmetry), real and imaginary (the gates,
    the same in each row); places: by modality, 0 … 1.
    """
    figure = Picture((WIDTH, 2.7), layout="constrained")
    axes = figure.subplots(1, len(examples) + 1)
    for axis, (title, table) in zip(axes, examples.items(), strict=False):
        fixed = table["fixed"]
        axis.scatter(table["radius"][~fixed], table["gain"][~fixed], s=8, color=CYCLE[6], zorder=3, label="gain")
        ring = {"s": 24, "facecolors": "white", "edgecolors": CYCLE[6], "zorder": 3, "label": "gain, real bin"}
        axis.scatter(table["radius"][fixed], table["gain"][fixed], **ring)
        for gate, colour, style in (("real", CYCLE[0], "-"), ("imaginary", CYCLE[4], "--")):
            axis.axhline(table[gate].iloc[0], color=colour, linestyle=style, label=f"w_{'R' if gate == 'real' else 'I'}")
        labelled(axis, title=title, xlabel="cycles per image height", ylabel="|Y|/|X|" if axis is axes[0] else "")
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        low, high = axis.dataLim.y0, axis.dataLim.y1
        margin = max(0.15 * (high - low), 0.01 * high)  # equal gates give a line instead of magnified rounding errors
        axis.set_ylim(low - margin, high + margin)
        axis.yaxis.set_major_locator(MaxNLocator(5))
        axis.ticklabel_format(axis="y", useOffset=False)
    if not any(len(values) for values in places.values()):
        axes[-1].text(0.5, 0.3, "none: all gates\nagree to 1 %", ha="center", transform=axes[-1].transAxes, fontsize=SMALL)
    for (modality, values), style in zip(places.items(), STYLES, strict=False):
        look = {"color": COLOURS.get(modality), "linestyle": style, "histtype": "step", "linewidth": 1.3, "label": modality}
        axes[-1].hist(values, np.linspace(-0.1, 1.1, 61), weights=np.full(len(values), 100 / max(1, len(values))), **look)
    axes[-1].set_ylim(0, None if any(len(values) for values in places.values()) else 1)
    labelled(axes[-1], title="all channels and images", xlabel="0: smaller gate, 1: larger gate", ylabel="gains, %")
    axes[-1].legend(frameon=False, fontsize=SMALL, loc="best")
    marks, names = axes[0].get_legend_handles_labels()
    figure.legend(marks, names, loc="outside upper center", ncols=len(names), frameon=False, fontsize=SMALL)
    return figure
