"""Tables of results: every trial of every protocol, their means and deviations, and the people of the test."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fsclib import metrics
from fsclib.data.protocols import Protocol
from fsclib.metrics import differences
from fsclib.metrics.ranking import ties
from fsclib.retrieval.features import Features
from fsclib.retrieval.search import Search, search

logger = logging.getLogger(__name__)
RANKS = tuple(range(1, metrics.RANKS + 1))
SETTING = ["mode", "direction", "weighting", "mirror"]
SHOWN = ["rank1", "rank5", "rank10", "rank20", "map", "minp"]


def evaluate(features: Features, records: pd.DataFrame, chosen: Sequence[Protocol], **options: Any) -> pd.DataFrame:
    """Every trial of the chosen protocols: one row per (protocol, trial, weighting, mirror), all figures in per cent.

    Columns: mode, direction, trial (from 0), weighting, mirror, queries, rank1 … rank20, map, minp. options: of search.search.
    """
    return tabulate(search(features, records, chosen, **options))


def tabulate(searches: Iterable[Search]) -> pd.DataFrame:
    """The table of `evaluate`, from finished searches. Logs a warning if many queries have ties."""
    searches = list(searches)
    if searches and (warning := ties(*(s.found for s in searches))):
        logger.warning(warning)
    keys = ("mode", "direction", "trial", "weighting", "mirror")
    return pd.DataFrame([{key: getattr(s, key) for key in keys} | as_row(metrics.average(s.found)) for s in searches])


def by_identity(searches: Iterable[Search]) -> pd.DataFrame:
    """Breaks the headline figures (equal weighting, with mirror images) down: one row per protocol and query identity, in per cent.

    Columns: mode, direction, identity, share, rank1, map, minp, as in metrics.differences.by_identity.
    """
    trials: dict[tuple[str, str], list[tuple[np.ndarray, metrics.PerQuery]]] = {}
    for s in searches:
        if s.weighting == "equal" and s.mirror:
            trials.setdefault((s.mode, s.direction), []).append((s.identity, s.found))
    parts = [differences.by_identity(found).assign(mode=mode, direction=direction) for (mode, direction), found in trials.items()]
    return pd.concat(parts, ignore_index=True)[["mode", "direction", "identity", "share", *differences.FIGURES]]


def as_row(found: metrics.Metrics) -> dict[str, float]:
    """Metrics as table columns, in per cent."""
    cmc = {f"rank{rank}": 100 * found.cmc[rank - 1] for rank in RANKS}
    return {"queries": found.queries} | cmc | {"map": 100 * found.map, "minp": 100 * found.minp}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over trials: columns rank1, rank1_std, … for SHOWN; one trial has standard deviation nan.

    Rows whose epochs were chosen differently, by the column select_on if there is one, are not averaged.
    """
    groups = table.groupby([*SETTING, *(name for name in ("select_on",) if name in table)], sort=False)
    mean, spread = groups[SHOWN].mean(), groups[SHOWN].std()
    joined = pd.concat([mean, spread.add_suffix("_std")], axis=1)
    order = [name for column in SHOWN for name in (column, f"{column}_std")]
    return joined[order].assign(trials=groups.size()).reset_index()


def compact(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `evaluate` with the ranks of SHOWN only, to two decimals."""
    kept = [name for name in (*SETTING, "trial", "select_on", "queries", *SHOWN) if name in table]
    return table[kept].round(2)


def cmc_by_protocol(table: pd.DataFrame, shown: Sequence[Protocol]) -> dict[str, np.ndarray]:
    """Matching rates (trials, 20) in per cent of some protocols in a table of `evaluate`; equal weighting, with mirror images."""
    keys = pd.MultiIndex.from_tuples([(p.mode, p.direction) for p in shown])
    tested = pd.MultiIndex.from_frame(table[["mode", "direction"]]).isin(keys)
    chosen = table[tested & (table["weighting"] == "equal") & table["mirror"]]
    ranks = [f"rank{rank}" for rank in RANKS]
    groups = chosen.groupby(["mode", "direction"], sort=False)
    return {" ".join(part for part in name if part): group[ranks].to_numpy() for name, group in groups}
