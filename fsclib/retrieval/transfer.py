"""Tests a network on people it was not trained on: a finished run, or the weights it started from, on any compatible data set.

The figures follow the data set's own protocol (equal weighting, with mirror images, means over its galleries). Several data sets
can be tested as one (metrics.estimates): people are pooled, each searched for in the galleries of their own data set.
"""

from collections.abc import Mapping

import pandas as pd
import torch

from fsclib.data.images import Images
from fsclib.data.records import select
from fsclib.models.base import Network
from fsclib.models.folding import folded
from fsclib.retrieval import search, tables
from fsclib.retrieval.features import Features, embed


def features_of(net: Network, images: Images, device: torch.device, precision: torch.dtype) -> Features:
    """Features of all test images of a data set, with their mirror images."""
    return embed(folded(net), images, select(images.records, "test"), device, precision, show=False)


def by_identity(features: Features, images: Images) -> pd.DataFrame:
    """One row per protocol and query identity: columns as in `tables.by_identity`, in per cent."""
    chosen = images.protocols
    return tables.by_identity(search.search(features, images.records, chosen, mirrors=[True], weightings=["equal"]))


def headline(table: pd.DataFrame, mode: str = "paper") -> Mapping[str, float]:
    """rank-1 and mAP of a table of estimates.over_people in both directions, rounded to one decimal, as "ir2vis.rank1"."""
    chosen = table[table["mode"] == mode]
    figures = ("rank1", "rank1_low", "rank1_high", "map", "map_low", "map_high")
    return {f"{row['direction']}.{name}": round(float(row[name]), 1) for _, row in chosen.iterrows() for name in figures}
