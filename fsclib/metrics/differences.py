"""Confidence intervals of the difference of two methods, from the contribution of each person and each training to a figure.

A figure is a mean over queries, and queries of one person are similar; trainings with different seeds also differ. So people and
replicates of the training (seeds; for RegDB also its trials) are resampled, never queries. With shares s and contributions
c = share × figure of replicate r and person i, multiplicities m of people and weights w of replicates, the figure of a resample is

    f(m, w) = Σᵣ wᵣ Σᵢ mᵢ cᵣᵢ / Σᵣ wᵣ Σᵢ mᵢ sᵣᵢ,        f(1, 1) = the mean over replicates,

and the difference is that of both methods under the same m and w: paired by person and by replicate.

People alone (w = 1): percentile bootstrap over clusters (Field & Welsh, JRSS B 2007). People and replicates, resampled
independently: the pigeonhole bootstrap for crossed factors (Owen, "The pigeonhole bootstrap", AoAS 2007).

Resampling R of R replicates gives their mean only (R − 1)/R of its variance, two thirds with three seeds. So the drawn weights
are scaled around one by √(R/(R − 1)), after which that variance is s²/R, unbiased. Two limitations remain: bootstrap quantiles
do not account for Student's t, and the noise of single (person, replicate) cells is counted up to three times. In simulations
(normal, 100 people, 300 times) 95 % intervals from three seeds contained the truth in 99 % of cases if seeds have no effect, in
about 95 % if seeds add half the standard error of people, in 90 % if they add 1.7 times as much, and in 81 % if they are the only
source of variance. With two seeds the last two are 84 % and 68 %, with ten 95 % and 90 %.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsclib.metrics.bootstrap import interval, multiplicities
from fsclib.metrics.ranking import PerQuery

FIGURES = {"rank1": "rank-1", "map": "mAP", "minp": "mINP"}  # name in metrics.json → name in text


@dataclass(frozen=True)
class Difference:
    """Method minus baseline, in the unit of the figures, and percentile intervals of it.

    low, high: people resampled; nan with one person. low_seeds, high_seeds: people and trainings resampled; nan also with one
    replicate.
    """

    mean: float
    low: float
    high: float
    low_seeds: float
    high_seeds: float

    @property
    def shown(self) -> bool:
        """Whether the interval excludes 0: that over people and replicates if there are several replicates, else over people."""
        low, high = (self.low, self.high) if np.isnan(self.low_seeds) else (self.low_seeds, self.high_seeds)
        return bool(low > 0 or high < 0)


def by_identity(trials: Iterable[tuple[NDArray[np.int64], PerQuery]]) -> pd.DataFrame:
    """The figures of a protocol per person: columns identity, share (sums to 1), and FIGURES in per cent.

    trials: identities of the queries, (Q,), and their results. With n queries of a person among Q with a match, x of one query:
        share = mean over trials of n / Q,    figure = mean over trials of Σ x / Q, divided by share,
    so that Σ share × figure is the mean over trials of the figure. People without such a query are omitted.
    """
    parts = []
    for identity, found in trials:
        values = (found.hits(1), found.average_precision, found.inverse_negative_penalty)
        queries = pd.DataFrame(dict(zip(FIGURES, values, strict=True)), index=pd.Index(identity, name="identity"))[found.valid]
        parts.append(queries.assign(share=1.0).groupby("identity").sum() / len(queries))
    people = pd.concat(parts).groupby("identity").sum() / len(parts)
    figures = people[list(FIGURES)].mul(100).div(people["share"], axis=0)
    return pd.concat([people["share"], figures], axis=1).reset_index()


def paired_difference(
    method: pd.DataFrame, baseline: pd.DataFrame, *, seed: int = 0, level: float = 0.95, resamples: int = 10_000
) -> Difference:
    """The difference of the method's figure and the baseline's, paired by replicate and by person.

    method, baseline: one row per (replicate, identity), columns replicate, identity, share and figure; the shares of a replicate
    sum to 1. People missing from a replicate have share 0. Equal seeds draw equal people and replicates.
    Errors: ValueError if the replicates differ, a row is repeated or the level is outside (0, 1).
    """
    _check(method, baseline, level)
    rows = [frame.set_index(["replicate", "identity"]) for frame in (method, baseline)]
    places = rows[0].index.union(rows[1].index)
    cells = []
    for frame in rows:
        frame = frame.reindex(places)
        share, total = frame["share"], frame["share"] * frame["figure"]
        cells.append([part.unstack("replicate").fillna(0.0).to_numpy() for part in (total, share)])  # (P, R) each
    people, replicates = cells[0][0].shape

    rng = np.random.default_rng(seed)
    drawn = multiplicities(people, resamples, rng)
    sums = [[drawn @ part for part in both] for both in cells]  # (resamples, R) each
    low, high = interval(_above(sums, np.ones(replicates)), level) if people > 1 else (np.nan, np.nan)
    low_seeds = high_seeds = np.nan
    if replicates > 1 and people > 1:
        chosen = multiplicities(replicates, resamples, rng)
        weights = 1 + (chosen - 1) * np.sqrt(replicates / (replicates - 1))
        low_seeds, high_seeds = interval(_above(sums, weights), level)
    mean = _above([[part.sum(axis=0) for part in both] for both in cells], np.ones(replicates))
    return Difference(*map(float, (mean, low, high, low_seeds, high_seeds)))


def _above(sums: list[list[NDArray]], weights: NDArray) -> NDArray:
    """Figure of the method minus that of the baseline, from (total, share) of each, (…, R)."""
    method, baseline = ((total * weights).sum(-1) / (share * weights).sum(-1) for total, share in sums)
    return method - baseline


def _check(method: pd.DataFrame, baseline: pd.DataFrame, level: float) -> None:
    problems = []
    for name, frame in (("method", method), ("baseline", baseline)):
        if (twice := frame.duplicated(["replicate", "identity"])).any():
            problems.append(f"the {name} has {twice.sum()} repeated rows, expected one per replicate and person")
    found, wanted = (sorted(map(str, frame["replicate"].unique())) for frame in (method, baseline))
    if found != wanted or not found:
        problems.append(f"the method has the replicates {found} and the baseline {wanted}, expected the same: pair common ones")
    if not 0 < level < 1:
        problems.append(f"level is {level}, expected a share between 0 and 1, 0.95 for instance")
    if problems:
        raise ValueError("the methods cannot be compared: " + "; ".join(problems))
