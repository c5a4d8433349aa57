"""Search in large galleries: recall against cost."""

import pandas as pd
from matplotlib.figure import Figure

from fsclib.figures.style import CYCLE, RIGHT, SMALL, WIDTH, WRONG, Picture, decades, labelled

KINDS = {
    "exact": {"color": RIGHT, "marker": "o", "label": "exact"},
    "ivfpq": {"color": WRONG, "marker": "s", "label": "lists of codes"},
}
LEGEND = {"frameon": False, "fontsize": SMALL}


def search_costs(measured: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Recall against latency from measurement.curve, one curve per size, with a cross for the index as built; then latency and
    build time of measurement.measure, by size."""
    figure = Picture((WIDTH, 2.7), layout="constrained")
    found, latency, time = figure.subplots(1, 3)
    for (images, part), colour in zip(curves.groupby("images"), CYCLE, strict=False):
        found.plot(part["median_ms"], 100 * part["recall10"], color=colour, marker=".", linewidth=1.2, label=f"{images:,} images")
        usual = measured[(measured["images"] == images) & (measured["kind"] == "ivfpq")]
        found.plot(usual["median_ms"], 100 * usual["recall10"], color=colour, marker="x", markersize=7, linestyle="")
    found.plot([], [], color="black", marker="x", markersize=7, linestyle="", label="as built")
    found.set_xscale("log")
    decades(found.xaxis)
    found.set_ylim(None, 101)
    labelled(found, xlabel="ms per query, median", ylabel="recall@10, %")
    for kind, style in KINDS.items():
        part = measured[measured["kind"] == kind]
        if len(part):
            latency.errorbar(
                part["images"], part["median_ms"], yerr=[0 * part["median_ms"], (part["p95_ms"] - part["median_ms"]).clip(0)],
                linewidth=1.2, markersize=4, capsize=2, **style,
            )  # fmt: skip
            time.plot(part["images"], part["build_s"], linewidth=1.2, markersize=4, **style)
    for axis, label in ((latency, "ms per query, median to 95 %"), (time, "seconds to build")):
        axis.set(xscale="log", yscale="log")
        decades(axis.xaxis)
        decades(axis.yaxis)
        labelled(axis, xlabel="images", ylabel=label)
    for axis in (found, latency, time):
        axis.grid(alpha=0.3)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), borderaxespad=0.2, **LEGEND)
    return figure
