"""Figures of a test with intervals over its people, from the contribution of each person.

Another test would have other people, so people are resampled, not images, with all galleries fixed (metrics/bootstrap.py). How much
the draw of the gallery matters is another question, answered by the standard deviation over galleries.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fsclib.metrics.bootstrap import interval, multiplicities
from fsclib.metrics.differences import FIGURES

FEWEST = 10  # people for an interval; with fewer it contains the truth too rarely (docs/statistics.md)


def over_people(tables: Sequence[pd.DataFrame], *, resamples: int = 2000, seed: int = 0, fewest: int = FEWEST) -> pd.DataFrame:
    """One row per protocol: mode, direction, people, and for each of FIGURES its value, …_low and …_high, a 95 % interval.

    tables: rows of people as from retrieval.tables.by_identity, one table for each data set; several are pooled, each weighted by
    its number of people, who are resampled within it. The interval is nan with fewer people than `fewest`.
    """
    rows, generator = [], np.random.default_rng(seed)
    for (mode, direction), first in tables[0].groupby(["mode", "direction"], sort=False):
        parts = [first, *(t[(t["mode"] == mode) & (t["direction"] == direction)] for t in tables[1:])]
        row: dict[str, Any] = {"mode": mode, "direction": direction, "people": sum(map(len, parts))}
        weights = [multiplicities(len(p), resamples, generator) for p in parts]
        weights = [np.concatenate([np.ones((1, len(p))), w]) for p, w in zip(parts, weights, strict=True)]
        for figure in FIGURES:
            sums = (_means(p, w, figure) * len(p) for p, w in zip(parts, weights, strict=True))
            value = sum(sums, np.zeros(())) / row["people"]
            low, high = interval(value[1:]) if row["people"] >= fewest else (np.nan, np.nan)
            row |= {figure: value[0], f"{figure}_low": low, f"{figure}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def over_trainings(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of people of several trainings as one table for over_people: each person's mean over the trainings.

    tables: as in over_people, one per training, all of one test. A person who takes no part in a training counts less.
    """
    joined = pd.concat(tables)
    figures = list(FIGURES)
    joined[figures] = joined[figures].mul(joined["share"], axis=0)
    summed = joined.groupby(["mode", "direction", "identity"], sort=False)[["share", *figures]].sum()
    summed[figures] = summed[figures].div(summed["share"], axis=0)
    return summed.assign(share=summed["share"] / len(tables)).reset_index()


def text(
    value: float, low: float = np.nan, high: float = np.nan, form: str = ".1f", *, bounds: str = "", spread: float = np.nan
) -> str:
    """An estimate as "61.9 ± 1.2 [57.4, 66.1]", without what is nan; "" if the value is.

    low, high: its interval; spread: its standard deviation over trainings. form: of the value; bounds: of the others, by default
    the same.
    """
    if np.isnan(value):
        return ""
    bounds = bounds or form
    deviation = "" if np.isnan(spread) else f" ± {spread:{bounds}}"
    return f"{value:{form}}{deviation}" + ("" if np.isnan(low) else f" [{low:{bounds}}, {high:{bounds}}]")


def _means(part: pd.DataFrame, weights: np.ndarray, figure: str) -> np.ndarray:
    """The figure of each resample, (R,), from the multiplicities of the people, (R, P)."""
    share = part["share"].to_numpy()
    return weights @ (share * part[figure].to_numpy()) / (weights @ share)
