"""From a sweep to its tables: its switches, each compared, with what the networks cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fsclib import checkpoint, cost, runs, tables
from fsclib import sweep as sweeps
from fsclib.alike import FACTS, REPLICATE
from fsclib.comparison import Comparison, ComparisonError, compare
from fsclib.config import Config
from fsclib.report import Report
from fsclib.strict import AUTO, ConfigError, Strict, nearest, option
from fsclib.sweep import board
from fsclib.sweep.grid import Sweep
from fsclib.switches import NETWORK, Contrast, contrasts


@dataclass(frozen=True, kw_only=True)
class AblationOptions(Strict):
    """The parameters of notebook 06. Errors: ConfigError, as in Strict."""

    dataset: str = option("demo", "data set whose runs are compared; one that the sweep has")
    sweep: str = option("people", "which grid: a file of sweeps/ by its name, or a path")
    execute: bool = option(True, "run what is missing; False: show what is there")
    retry: bool = option(False, "run again what has failed")
    workers: int = option(AUTO, "runs at a time; auto: one a GPU, or without one, one for two cores", low=1, high=1024)
    cluster: str = option("none", "run in jobs of a cluster, through submitit", choices=("none", "slurm", "local"))
    modules: str = option("none", "modules of the row that the others are compared with")
    network: str = option("twostream", "network that the others are compared with")
    allow: tuple[str, ...] = option((), "fields in which rows may differ, such as revision; noted in the tables")


@dataclass(frozen=True, eq=False)
class Found:
    """The comparisons of a sweep by title, and sentences on what could not be compared."""

    comparisons: Mapping[str, Comparison]
    notes: tuple[str, ...]


def read(options: AblationOptions) -> Sweep:
    """The sweep that the options name, checked before it is run if it is to be run.

    Errors: SweepError, as in sweep.read; ConfigError for options that do not fit the sweep.
    """
    grid = sweeps.read(options.sweep, check=options.execute)
    configs = [cell.config for cell in grid.cells if cell.config.dataset == options.dataset]
    problems = []
    if not configs:
        there = ", ".join(dict.fromkeys(cell.config.dataset for cell in grid.cells))
        problems.append(f"dataset: found {options.dataset!r}, expected one that {grid.name} has: {there}")
    for name, value in (("modules", options.modules), (NETWORK, options.network)):
        values = list(dict.fromkeys(_written(getattr(config, name)) for config in configs))
        if len(values) > 1 and value not in values:
            problems.append(f"{name}: found {value!r}, expected one that {grid.name} has: {'; '.join(values)}")
    known = [*Config().recipe(), *FACTS]
    problems += [f"allow: no such field as {name!r}{nearest(name, known)}" for name in options.allow if name not in known]
    if problems:
        raise ConfigError(problems)
    return grid


def run(grid: Sweep, options: AblationOptions) -> pd.DataFrame:
    """Runs what is missing of a sweep, unless the options say otherwise; returns its board."""
    if not options.execute:
        return board.table(grid)
    workers = None if options.workers == AUTO else options.workers
    return sweeps.run(grid, workers=workers, cluster=None if options.cluster == "none" else options.cluster, retry=options.retry)


def compare_all(grid: Sweep, options: AblationOptions) -> Found:
    """A comparison for each switch of the sweep, on one data set; while runs are missing, of the seeds that all rows have.

    Errors: ComparisonError if there is none, with all reasons.
    """
    names = {cell.name for cell in grid.cells if cell.config.dataset == options.dataset}
    own = runs.table(dataset=options.dataset, names=names)
    missing = len(names) - len(runs.finished(own))
    allow = [*options.allow, *(REPLICATE if missing else ())]
    notes = [f"{missing} of {len(names)} runs are not finished."] * bool(missing)
    found: dict[str, Comparison] = {}
    for contrast in contrasts(own):
        try:
            found[contrast.title] = compare(contrast.rows, contrast.switch, baseline(options, contrast), allow=allow)
        except ComparisonError as error:
            notes += [f"{contrast.title}: {problem}" for problem in error.problems]
    used = {name for comparison in found.values() for name in comparison.names}
    left = sorted(set(runs.finished(own).get("name", ())) - used)
    notes += [f"in no comparison: {', '.join(left)}."] * bool(left)
    if not found:
        raise ComparisonError(notes or [f"no two runs of {grid.name} on {options.dataset} differ in a switch"])
    return Found(found, tuple(notes))


def baseline(options: AblationOptions, contrast: Contrast) -> Any:
    """The value of a switch that the others are compared with: the options', or else the preset's, or else the first."""
    given = {"modules": options.modules, NETWORK: options.network}
    return given[contrast.switch] if contrast.switch in given else contrast.values()[0]


def costs(found: Found) -> dict[str, pd.DataFrame]:
    """What each variant of the comparisons costs, measured here and now, a run that is in several of them once (cost.table)."""
    examples = {run.folder.name: run for comparison in found.comparisons.values() for run in comparison.examples.values()}
    classes = max(checkpoint.state(run.checkpoint("best"), "num_classes")["num_classes"] for run in examples.values())
    measured = cost.table({name: run.config for name, run in examples.items()}, classes).set_index("variant")
    beside = {}
    for title, comparison in found.comparisons.items():
        rows = measured.loc[[run.folder.name for run in comparison.examples.values()]].reset_index(drop=True)
        beside[title] = rows.assign(variant=list(comparison.examples))
    return beside


def save_tables(report: Report, found: Found, costs: Mapping[str, pd.DataFrame] | None = None) -> list[pd.DataFrame]:
    """Writes each comparison as tables/ablation_<title>, CSV and LaTeX; returns them as a reader wants them."""
    shown = []
    for title, comparison in found.comparisons.items():
        cost = (costs or {}).get(title)
        rows, latex = tables.ablation(comparison, cost, label(title))
        report.save_table(rows, file_name(title), latex)
        shown.append(tables.shown(comparison, cost))
    return shown


def label(title: str) -> str:
    """The name of a comparison in LaTeX labels: "modules_with_branches_1"."""
    return title.replace(" ", "_")


def file_name(title: str) -> str:
    """The file of a comparison, without its suffix."""
    return f"ablation_{label(title)}"


def _written(value: Any) -> str:
    return (",".join(value) or "none") if isinstance(value, tuple) else str(value)
