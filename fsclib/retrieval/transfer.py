"""Tests a network on people it was not trained on: a finished run, or the weights it started from, on any compatible data set.

The figures follow the data set's own protocol (equal weighting, with mirror images, means over its galleries). Several data sets
can be tested as one: people are pooled, each searched for in the galleries of their own data set. Intervals resample people, not
images.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from fsclib.data.images import Images
from fsclib.data.records import select
from fsclib.metrics import differences
from fsclib.metrics.bootstrap import interval, multiplicities
from fsclib.models.base import Network
from fsclib.models.folding import folded
from fsclib.retrieval import evaluation
from fsclib.retrieval.features import Features, embed


def features_of(net: Network, images: Images, device: torch.device, precision: torch.dtype) -> Features:
    """Features of all test images of a data set, with their mirror images."""
    return embed(folded(net), images, select(images.records, "test"), device, precision, show=False)


def by_identity(features: Features, images: Images) -> pd.DataFrame:
    """One row per protocol and query identity: columns as in `evaluation.by_identity`, in per cent."""
    chosen = images.protocols
    return evaluation.by_identity(evaluation.search(features, images.records, chosen, mirrors=[True], weightings=["equal"]))


def pooled(tables: Sequence[pd.DataFrame], *, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Pools `by_identity` tables of several data sets: each data set is weighted by its number of people.

    Columns: mode, direction, people, and for each figure its value, low and high: a 95 % percentile interval over people, resampled
    within each data set with all galleries fixed.
    """
    rows, generator = [], np.random.default_rng(seed)
    for (mode, direction), first in tables[0].groupby(["mode", "direction"], sort=False):
        parts = [first, *(t[(t["mode"] == mode) & (t["direction"] == direction)] for t in tables[1:])]
        row: dict[str, Any] = {"mode": mode, "direction": direction, "people": sum(map(len, parts))}
        weights = [multiplicities(len(p), resamples, generator) for p in parts]
        weights = [np.concatenate([np.ones((1, len(p))), w]) for p, w in zip(parts, weights, strict=True)]
        for figure in differences.FIGURES:
            sums = (_means(p, w, figure) * len(p) for p, w in zip(parts, weights, strict=True))
            value = sum(sums, np.zeros(())) / row["people"]
            low, high = interval(value[1:])
            row |= {figure: value[0], f"{figure}_low": low, f"{figure}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def headline(table: pd.DataFrame, mode: str = "paper") -> Mapping[str, float]:
    """rank-1 and mAP of a `pooled` table in both directions, rounded to one decimal, as "ir2vis.rank1"."""
    chosen = table[table["mode"] == mode]
    figures = ("rank1", "rank1_low", "rank1_high", "map", "map_low", "map_high")
    return {f"{row['direction']}.{name}": round(float(row[name]), 1) for _, row in chosen.iterrows() for name in figures}


def _means(part: pd.DataFrame, weights: np.ndarray, figure: str) -> np.ndarray:
    """The figure of each resample, (R,), from the multiplicities of the people, (R, P)."""
    share = part["share"].to_numpy()
    return weights @ (share * part[figure].to_numpy()) / (weights @ share)
