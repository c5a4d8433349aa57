"""Simulates tests with known truth: which differences are found, and how often equal methods seem to differ.

    python tools/simulations.py    # prints the tables of docs/statistics.md: about a quarter of an hour on one core

Two methods with a rank-1 of 50 % on average are tested on the same people, QUERIES queries each. A person's chance of being found
is their own, Beta(1.2, 1.2), and differs between methods and trainings by a deviation of 0.15. `spread`: deviation, in points, by
which trainings shift the difference of the methods.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fsclib.metrics.differences import POWER, Difference, paired_difference
from fsclib.metrics.estimates import over_people

QUERIES, RANK1 = 14, 50
FEW, PEOPLE, SEEDS = (5, 10), (28, 100, 300), (3, 5, 10)
TRAININGS = (0, 1, 2)  # spread


def trained(rng: np.random.Generator, seeds: int, people: int, spread: float) -> NDArray[np.float64]:
    """Rank-1 per training and person, in per cent, of two equal methods: (2, seeds, people)."""
    difficulty = rng.beta(1.2, 1.2, people)
    shift = rng.normal(0, spread / 100 / np.sqrt(2), (2, seeds, 1))
    chance = np.clip(difficulty + shift + rng.normal(0, 0.15, (2, seeds, people)), 0, 1)
    return 100 * rng.binomial(QUERIES, chance) / QUERIES


def rows(figure: ArrayLike, share: ArrayLike | None = None) -> pd.DataFrame:
    """Figures and shares (R, P) in the form that paired_difference takes; by default all people have the same share."""
    figure = np.asarray(figure, float)
    share = np.full(figure.shape, 1 / figure.shape[1]) if share is None else np.asarray(share, float)
    replicate, identity = np.indices(figure.shape)
    columns = {"replicate": replicate, "identity": identity, "share": share, "figure": figure}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def differences(seeds: int, people: int, spread: float, times: int, resamples: int = 1000) -> Iterator[Difference]:
    """Differences of equal methods. Equal arguments give equal ones."""
    rng = np.random.default_rng([seeds, people, round(10 * spread)])
    for _ in range(times):
        method, baseline = trained(rng, seeds, people, spread)
        yield paired_difference(rows(method), rows(baseline), resamples=resamples)


def false(found: list[Difference]) -> dict[str, float]:
    """How often equal methods seem to differ, in per cent, by each interval alone and by the p-value of both."""
    by_people = [d.low > 0 or d.high < 0 for d in found]
    by_trainings = [d.low_seeds > 0 or d.high_seeds < 0 for d in found]
    shares = {"people": by_people, "trainings": by_trainings, "p": [d.p < 0.05 for d in found]}
    return {name: 100 * float(np.mean(values)) for name, values in shares.items()}


def detectable(found: list[Difference]) -> float:
    """The smallest true difference, in points, with p < 0.05 in a share POWER of the tests.

    A true difference δ moves the intervals of equal methods by δ, and p is below 0.05 once both of them exclude 0.
    """
    return float(np.quantile([-min(d.low, d.low_seeds) for d in found], POWER))


def coverage(people: int, times: int, resamples: int = 1000) -> dict[str, float]:
    """How often the interval over people contains the true rank-1, in per cent, and its mean half width, in points."""
    rng, half, inside = np.random.default_rng(people), [], []
    for _ in range(times):
        values = 100 * rng.binomial(QUERIES, rng.beta(1.2, 1.2, people)) / QUERIES
        table = rows(values[None]).assign(mode="", direction="ir2vis", rank1=values, map=values, minp=values)
        (found,) = over_people([table], resamples=resamples, fewest=2).to_dict("records")
        half.append((found["rank1_high"] - found["rank1_low"]) / 2)
        inside.append(found["rank1_low"] <= RANK1 <= found["rank1_high"])
    return {"people": people, "half width": float(np.mean(half)), "coverage": 100 * float(np.mean(inside))}


def main(times: int = 1000) -> None:
    print(pd.DataFrame([coverage(people, times) for people in (*FEW, *PEOPLE)]).round(1).to_string(index=False), flush=True)
    table = []
    for people in PEOPLE:
        for seeds in (1, 2, *SEEDS):
            for spread in TRAININGS:
                found = list(differences(seeds, people, spread, times))
                row: dict[str, float] = {"people": people, "trainings": seeds, "spread": spread} | false(found)
                table.append(row | {"detectable": detectable(found) if seeds in SEEDS else np.nan})
    print(pd.DataFrame(table).round(1).to_string(index=False))


if __name__ == "__main__":
    main()
