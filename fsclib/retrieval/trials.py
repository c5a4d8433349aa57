"""The trials of a data set whose splits each have a model of their own, as RegDB's ten: results of all, and their mean."""

import pandas as pd

from fsclib import runs
from fsclib.retrieval.tables import SHOWN, summarise
from fsclib.runs import Run


def all_trials(run: Run) -> pd.DataFrame:
    """The table of all trials: this run's, and for RegDB also those of finished runs with the same recipe on other trials."""
    same = [run, *runs.siblings(run, "trial")] if run.config.spec.splits > 1 else [run]
    tables = [r.read_table("trials").assign(select_on=r.config.select_on) for r in same]
    return pd.concat(tables).sort_values("trial", kind="stable").reset_index(drop=True)


def mean_over_trials(table: pd.DataFrame) -> pd.DataFrame:
    """The headline figures of a table of all trials as mean and standard deviation: one row per protocol, in per cent.

    Columns: protocol, trials (their number), select_on, and rank1, rank1_std, … for SHOWN; one trial has standard deviation nan.
    """
    found = summarise(table).query("weighting == 'equal' and mirror")
    protocol = (found["mode"] + " " + found["direction"]).str.strip()
    figures = [name for figure in SHOWN for name in (figure, f"{figure}_std")]
    return found.assign(protocol=protocol)[["protocol", "trials", "select_on", *figures]].round(2).reset_index(drop=True)
