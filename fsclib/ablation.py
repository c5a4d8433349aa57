"""From a sweep to its tables: its switches, each with the runs in which nothing else varies, compared, and what they cost.

A switch is a field of the recipe in which runs depart from their presets differently, or the network. In a grid of modules beside
other networks, the rows for "modules" are FSC-Net's, and those for "network" have the modules that each network has by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from fsclib import checkpoint, cost, runs, tables
from fsclib import sweep as sweeps
from fsclib.comparison import Comparison, ComparisonError, compare
from fsclib.config import Config
from fsclib.report import Report
from fsclib.runs import ASIDE
from fsclib.strict import AUTO, Strict, option
from fsclib.sweep import board
from fsclib.sweep.grid import Sweep

NETWORK = "network"
REPEATED = ("seed", "trial")


@dataclass(frozen=True, kw_only=True)
class AblationOptions(Strict):
    """The parameters of notebook 06. Errors: ConfigError, as in Strict."""

    dataset: str = option("demo", "data set whose runs are compared; one that the sweep has")
    sweep: str = option("short", "which grid: a file of sweeps/ by its name, or a path")
    execute: bool = option(True, "run what is missing; False: show what is there")
    retry: bool = option(False, "run again what has failed")
    workers: int = option(AUTO, "runs at a time; auto: one a GPU, or without one, one for two cores", low=1, high=1024)
    cluster: str = option("none", "run in jobs of a cluster, through submitit", choices=("none", "slurm", "local"))
    modules: str = option("none", "modules of the row that the others are compared with")
    network: str = option("twostream", "network that the others are compared with")
    allow: tuple[str, ...] = option((), "fields in which rows may differ, such as revision; noted in the tables")


def run(grid: Sweep, options: AblationOptions) -> pd.DataFrame:
    """Runs what is missing of a sweep, unless the options say otherwise; returns its board."""
    if not options.execute:
        return board.table(grid)
    workers = None if options.workers == AUTO else options.workers
    return sweeps.run(grid, workers=workers, cluster=None if options.cluster == "none" else options.cluster, retry=options.retry)


def compare_all(grid: Sweep, options: AblationOptions) -> dict[str, Comparison]:
    """A comparison for each switch of the sweep, on one data set. Errors: ComparisonError."""
    table = runs.table()
    names = [cell.name for cell in grid.cells]
    own = table[table["name"].isin(names) & (table["dataset"] == options.dataset)] if len(table) else table
    found = switches(own)
    if not found:
        finished = int(own["finished"].sum()) if len(own) else 0
        raise ComparisonError([f"{grid.name} on {options.dataset}: {finished} runs are finished, and no two differ in a switch"])
    return {switch: compare(rows, switch, baseline(options, switch), allow=options.allow) for switch, rows in found.items()}


def costs(comparisons: Mapping[str, Comparison]) -> dict[str, pd.DataFrame]:
    """What each variant of the comparisons costs, measured here and now, a run that is in several of them once (cost.table)."""
    examples = {run.folder.name: run for comparison in comparisons.values() for run in comparison.examples.values()}
    classes = max(checkpoint.state(run.checkpoint("best"))["num_classes"] for run in examples.values())
    measured = cost.table({name: run.config for name, run in examples.items()}, classes).set_index("variant")
    found = {}
    for switch, comparison in comparisons.items():
        rows = measured.loc[[run.folder.name for run in comparison.examples.values()]].reset_index(drop=True)
        found[switch] = rows.assign(variant=list(comparison.examples))
    return found


def save_table(report: Report, comparison: Comparison, cost: pd.DataFrame | None = None) -> pd.DataFrame:
    """Writes a comparison as tables/ablation_<switch>, CSV and LaTeX, and returns it as a reader wants it."""
    rows, latex = tables.ablation(comparison, cost)
    report.save_table(rows, f"ablation_{comparison.switch}", latex)
    return tables.shown(comparison, cost)


def switches(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of runs.table(), of one data set, by switch; a switch with one value only is none. Unfinished runs are left out."""
    if table.empty:
        return {}
    rows = table[table["finished"].astype(bool) & ~table["name"].str.contains(ASIDE)]
    configs = [_config(row) for row in rows.to_dict("records")]
    departures = [{name: value for name, value in config.departures().items() if name not in REPEATED} for config in configs]
    varied = [name for name in dict.fromkeys(name for found in departures for name in found) if _differs(name, departures)]
    found = {}
    for switch in [*varied, NETWORK]:
        others = [name for name in varied if name != switch]
        kept = [not any(name in own for name in others) for own in departures]
        if switch != NETWORK:  # the networks in which it was switched; in others it means nothing
            switched = {config.network for config, own in zip(configs, departures, strict=True) if switch in own}
            kept = [keep and config.network in switched for keep, config in zip(kept, configs, strict=True)]
        chosen = [config for keep, config in zip(kept, configs, strict=True) if keep]
        if len({getattr(config, switch) for config in chosen}) > 1:
            found[switch] = rows[kept]
    return found


def baseline(options: AblationOptions, switch: str) -> Any:
    """The value of a switch that the others are compared with: the options', or else the preset's."""
    given = {"modules": options.modules, NETWORK: options.network}
    return given[switch] if switch in given else getattr(Config(dataset=options.dataset), switch)


def _config(row: Mapping[str, Any]) -> Config:
    return Config(**{f.name: row[f.name] for f in fields(Config) if f.metadata["recipe"]})


def _differs(name: str, departures: list[dict[str, Any]]) -> bool:
    return any(own.get(name) != departures[0].get(name) for own in departures)
