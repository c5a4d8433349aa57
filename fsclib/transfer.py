"""A network tested on other people than its own: a finished run, or the weights it came from, on any data set of the same kind.

The figures are those of the data set's own protocol (equal weighting, with mirror images, means over its galleries). Several data
sets may be tested as one: people are pooled, each searched for in the galleries of its own. Intervals draw people anew, not images.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from fsclib import retrieval, statistics
from fsclib.data.images import Images
from fsclib.data.protocols import for_layout
from fsclib.data.records import select
from fsclib.features import Features, embed
from fsclib.models.folding import folded
from fsclib.models.networks import Network


def features_of(net: Network, images: Images, device: torch.device, precision: torch.dtype) -> Features:
    """Features of all test images of a data set, with their mirror images."""
    return embed(folded(net), images, select(images.records, "test"), device, precision, show=False)


def by_identity(features: Features, images: Images) -> pd.DataFrame:
    """A row a protocol and query identity: columns as `retrieval.by_identity` has them, in per cent."""
    chosen = for_layout(images.dataset.layout)
    return retrieval.by_identity(retrieval.search(features, images.records, chosen, mirrors=[True], weightings=["equal"]))


def pooled(tables: Sequence[pd.DataFrame], *, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Tables of `by_identity` of several data sets as one: each data set weighs as many people as it has.

    Columns mode, direction, people, and for each figure its value, low and high: a percentile interval of 95 % over people, drawn
    anew within each data set, all galleries as they are.
    """
    rows, generator = [], np.random.default_rng(seed)
    for (mode, direction), first in tables[0].groupby(["mode", "direction"], sort=False):
        parts = [first, *(t[(t["mode"] == mode) & (t["direction"] == direction)] for t in tables[1:])]
        row: dict[str, object] = {"mode": mode, "direction": direction, "people": sum(map(len, parts))}
        weights = [generator.multinomial(len(p), np.full(len(p), 1 / len(p)), size=resamples) for p in parts]
        weights = [np.concatenate([np.ones((1, len(p))), w]) for p, w in zip(parts, weights, strict=True)]
        for figure in statistics.FIGURES:
            value = sum(_means(p, w, figure) * len(p) for p, w in zip(parts, weights, strict=True)) / row["people"]
            low, high = np.percentile(value[1:], [2.5, 97.5])
            row |= {figure: value[0], f"{figure}_low": low, f"{figure}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def headline(table: pd.DataFrame, mode: str = "paper") -> Mapping[str, float]:
    """rank-1 and mAP of a table of `pooled` in both directions, one decimal, as "ir2vis.rank1"."""
    chosen = table[table["mode"] == mode]
    figures = ("rank1", "rank1_low", "rank1_high", "map", "map_low", "map_high")
    return {f"{row['direction']}.{name}": round(float(row[name]), 1) for _, row in chosen.iterrows() for name in figures}


def _means(part: pd.DataFrame, weights: np.ndarray, figure: str) -> np.ndarray:
    """The figure of each resample, (R,), of people with these multiplicities, (R, P)."""
    share = part["share"].to_numpy()
    return weights @ (share * part[figure].to_numpy()) / (weights @ share)
