"""Figures of a test set with intervals over its people, for several runs.

People are resampled, not images (metrics/bootstrap.py). All figures of all runs use the same draws, so differences between runs are
paired by person.

Figures of pairs of different people weight a pair by mᵢmⱼ: U-statistics, whose resamples never compare a person with themselves.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsclib.metrics.bootstrap import interval, multiplicities
from fsclib.metrics.estimates import text

NOTHING = "–"  # cell without a value
Measure = tuple[Mapping[str, str], Callable[[NDArray], Mapping[str, NDArray]]]  # labels, "run" first; (R, P) → figures, (R,) each


def over_people(
    measures: Iterable[Measure], people: int, seed: int = 0, *, level: float = 0.95, resamples: int = 1000
) -> pd.DataFrame:
    """One row per measure and figure: its labels, `figure`, `value`, `low`, `high`, and the difference to the first run.

    The difference is in `difference`, `difference_low` and `difference_high`, nan for the first run with the same other labels.
    Intervals are percentile intervals of that level over people; nan for an undefined figure or fewer than two people.
    """
    drawn = multiplicities(people, resamples, seed)
    all_once_and_drawn = np.concatenate([np.ones((1, people)), drawn])
    rows = []
    first: dict[tuple[tuple[object, ...], str], NDArray] = {}
    for labels, figures in measures:
        others = tuple(value for name, value in labels.items() if name != "run")
        for figure, found in figures(all_once_and_drawn).items():
            reference = first.setdefault((others, figure), found)
            above = np.full(len(found), np.nan) if reference is found else found - reference
            values = [*_interval(found, people, level), *_interval(above, people, level)]
            names = ("value", "low", "high", "difference", "difference_low", "difference_high")
            rows.append({**labels, "figure": figure} | dict(zip(names, values, strict=True)))
    return pd.DataFrame(rows)


def shown(table: pd.DataFrame, decimals: int = 3) -> pd.DataFrame:
    """A table of over_people for display: its labels, and one column per figure, "value [low, high]"."""
    return _wide(table, ("value", "low", "high"), f".{decimals}f")


def differences(table: pd.DataFrame, decimals: int = 3) -> pd.DataFrame:
    """Differences of the other runs to the first run, in the form of `shown`; empty with one run."""
    return _wide(table[table["difference"].notna()], ("difference", "difference_low", "difference_high"), f"+.{decimals}f")


def _wide(table: pd.DataFrame, columns: tuple[str, str, str], form: str) -> pd.DataFrame:
    labels = list(table.columns[: table.columns.get_loc("figure")])
    lines: dict[tuple, dict[str, str]] = {}
    for row in table.to_dict("records"):
        line = lines.setdefault(tuple(row[name] for name in labels), {name: row[name] for name in labels})
        value, low, high = (row[name] for name in columns)
        line[row["figure"]] = text(value, low, high, form) or NOTHING
    return pd.DataFrame(list(lines.values())).fillna(NOTHING)


def between_people(multiplicities: NDArray, values: NDArray) -> NDArray:
    """Means over pairs of different people, Σ mᵢmⱼ vᵢⱼ / Σ mᵢmⱼ over i ≠ j: (R, P) and (P, P) → (R,); nan with one person."""
    apart = values - np.diag(np.diag(values))
    pairs = multiplicities.sum(1) ** 2 - (multiplicities**2).sum(1)
    return ratio(((multiplicities @ apart) * multiplicities).sum(1), pairs)


def ratio(above: NDArray, below: NDArray) -> NDArray:
    """above / below, nan where below is not positive."""
    return np.divide(above, below, out=np.full(np.broadcast_shapes(above.shape, below.shape), np.nan), where=below > 0)


def _interval(found: NDArray, people: int, level: float) -> tuple[float, float, float]:
    """The value with each person once, and an interval from all other entries."""
    drawn = found[1:][~np.isnan(found[1:])]
    if np.isnan(found[0]) or people < 2 or not len(drawn):
        return float(found[0]), np.nan, np.nan
    low, high = interval(drawn, level)
    return float(found[0]), float(low), float(high)
