"""The difference of two methods, with intervals over people and over trainings, and a p-value.

A figure is a mean over queries, and queries of one person are similar; trainings with different seeds also differ. So people and
replicates of the training (seeds; for RegDB also its trials) count, never queries. With shares s and contributions c = share ×
figure of replicate r and person i, and multiplicities m of people, the figure of a resample is

    f(m) = Σᵣ Σᵢ mᵢ cᵣᵢ / Σᵣ Σᵢ mᵢ sᵣᵢ,        f(1) = the mean over replicates,

and the difference is that of both methods under the same m: paired by person and by replicate.

people     percentile bootstrap over clusters (Field & Welsh, JRSS B 2007)
trainings  Student's t with R − 1 degrees of freedom, over the difference of each of R replicates

A difference of methods needs both: equal methods whose trainings vary differ far too often by more than the interval over people,
and three trainings on few people by more than that over trainings. So the p-value is the larger of the two, and given for three
replicates or more. It is below 0.05 in 1 to 5 % of the comparisons of equal methods (tests/metrics/test_false_stars.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr, stdtrit

from fsclib.metrics.bootstrap import interval, multiplicities
from fsclib.metrics.ranking import PerQuery

FIGURES = {"rank1": "rank-1", "map": "mAP", "minp": "mINP"}  # name in metrics.json → name in text


ENOUGH_REPLICATES = 3  # trainings per method from which a difference says something about methods
POWER = 0.8  # probability with which a difference of the size `detectable` is found


@dataclass(frozen=True)
class Difference:
    """Method minus baseline, in the unit of the figures, and intervals of it.

    low, high: over people; nan with one person. low_seeds, high_seeds: over trainings; nan with one replicate. p: of no
    difference, the larger of both; nan with fewer than ENOUGH_REPLICATES replicates. detectable: the smallest true difference for
    which p would be small with probability POWER; nan as p is.
    """

    mean: float
    low: float
    high: float
    low_seeds: float = np.nan
    high_seeds: float = np.nan
    p: float = np.nan
    detectable: float = np.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The wider one of the intervals."""
        return wider((self.low, self.high), (self.low_seeds, self.high_seeds))


def wider(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """The wider of two intervals; nan counts as none."""
    return second if second[1] - second[0] > first[1] - first[0] else first


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """p-values (N,) corrected for N tests (Holm, Scand. J. Stat. 1979); nan stays nan and does not count."""
    given = np.asarray(p, np.float64)
    found, order = np.full(given.shape, np.nan), np.argsort(given)[: np.count_nonzero(~np.isnan(given))]
    factors = np.arange(len(order), 0, -1)
    found[order] = np.minimum(1, np.maximum.accumulate(given[order] * factors))
    return found


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
    each = np.subtract(*(total.sum(0) / share.sum(0) for total, share in cells))  # (R,), the difference of each replicate
    mean = float(_above([[part.sum(0) for part in both] for both in cells]))
    people, replicates = cells[0][0].shape
    if people == 1:
        return Difference(mean, np.nan, np.nan)
    drawn = multiplicities(people, resamples, seed)
    resampled = _above([[drawn @ part for part in both] for both in cells])
    found = Difference(mean, *interval(resampled, level).tolist())
    if replicates == 1:
        return found
    freedom, error = replicates - 1, each.std(ddof=1) / np.sqrt(replicates)
    half = stdtrit(freedom, (1 + level) / 2) * error
    found = replace(found, low_seeds=float(mean - half), high_seeds=float(mean + half))
    if replicates < ENOUGH_REPLICATES:
        return found
    of_people = 2 * min((resampled <= 0).sum() + 1, (resampled >= 0).sum() + 1) / (resamples + 1)
    of_trainings = 2 * stdtr(freedom, -abs(mean) / error) if error else float(mean == 0)
    spread = resampled.std()
    detectable = max(ndtri((1 + level) / 2) * spread, half) + np.hypot(ndtri(POWER) * spread, stdtrit(freedom, POWER) * error)
    return replace(found, p=float(min(1, max(of_people, of_trainings))), detectable=float(detectable))


def _above(sums: list[list[NDArray]]) -> NDArray:
    """Figure of the method minus that of the baseline, from (total, share) of each, (…, R)."""
    method, baseline = (total.sum(-1) / share.sum(-1) for total, share in sums)
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
