"""Tables from a sweep: a comparison for each of its switches, and the cost of the networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fsclib import runs
from fsclib.analysis import cost
from fsclib.analysis.comparability import FACTS, REPLICATE
from fsclib.analysis.comparison import Comparison, ComparisonError, compare
from fsclib.analysis.switches import NETWORK, Contrast, contrasts
from fsclib.config import Config
from fsclib.config.strict import AUTO, ConfigError, Strict, nearest, option
from fsclib.figures import tables
from fsclib.runs import checkpoint
from fsclib.runs.reports import Report
from workbook import sweep as sweeps
from workbook.sweep import board
from workbook.sweep.equality import unequal
from workbook.sweep.grid import Sweep


@dataclass(frozen=True, kw_only=True)
class AblationOptions(Strict):
    """The parameters of notebook 06. Errors: ConfigError, as in Strict."""

    dataset: str = option("demo", "data set whose runs are compared; one that the sweep has")
    sweep: str = option("people", "the grid: the name of a file in sweeps/, or a path")
    execute: bool = option(True, "run missing cells; False: only show existing runs")
    retry: bool = option(False, "run failed cells again")
    workers: int = option(AUTO, "runs at a time; auto: one per GPU, or one per two cores without a GPU", low=1, high=1024)
    cluster: str = option("none", "run as cluster jobs, through submitit", choices=("none", "slurm", "local"))
    modules: str = option("none", "modules of the baseline row")
    network: str = option("twostream", "network of the baseline row")
    allow: tuple[str, ...] = option((), "fields in which rows may differ, such as revision; noted in the tables")


@dataclass(frozen=True, eq=False)
class Found:
    """The comparisons of a sweep by title, and notes on what could not be compared."""

    comparisons: Mapping[str, Comparison]
    notes: tuple[str, ...]


def read(options: AblationOptions) -> Sweep:
    """Reads the sweep that the options name, and checks it if it is going to run.

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
    own = [cell for cell in grid.cells if cell.config.dataset == options.dataset]
    if options.execute and not problems and not all((cell.run_folder / "metrics.json").exists() for cell in own):
        problems += unequal(own, options.allow)
    if problems:
        raise ConfigError(problems)
    return grid


def run(grid: Sweep, options: AblationOptions) -> pd.DataFrame:
    """Runs the missing cells of a sweep, unless `execute` is False; returns its board."""
    if not options.execute:
        return board.table(grid)
    workers = None if options.workers == AUTO else options.workers
    return sweeps.run(grid, workers=workers, cluster=None if options.cluster == "none" else options.cluster, retry=options.retry)


def compare_all(grid: Sweep, options: AblationOptions) -> Found:
    """Compares the rows of each switch of the sweep on one data set; while runs are missing, over the seeds that all rows have.

    Errors: ComparisonError with all reasons if there is no comparison.
    """
    names = {cell.name for cell in grid.cells if cell.config.dataset == options.dataset}
    own = runs.table(dataset=options.dataset, names=names)
    missing = len(names) - len(runs.finished(own))
    allow = [*options.allow, *(REPLICATE if missing else ())]
    notes = [f"{missing} of {len(names)} runs are not finished, or cannot be read."] * bool(missing)
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
    """The baseline value of a switch: from the options, else the preset's, else the first."""
    given = {"modules": options.modules, NETWORK: options.network}
    return given[contrast.switch] if contrast.switch in given else contrast.values()[0]


def costs(found: Found) -> dict[str, pd.DataFrame]:
    """Measures the cost of each variant on this machine; a run in several comparisons is measured once (cost.table)."""
    examples = {run.folder.name: run for comparison in found.comparisons.values() for run in comparison.examples.values()}
    classes = max(checkpoint.state(run.checkpoint("best"), "num_classes")["num_classes"] for run in examples.values())
    measured = cost.table({name: run.config for name, run in examples.items()}, classes).set_index("variant")
    beside = {}
    for title, comparison in found.comparisons.items():
        rows = measured.loc[[run.folder.name for run in comparison.examples.values()]].reset_index(drop=True)
        beside[title] = rows.assign(variant=list(comparison.examples))
    return beside


def save_tables(report: Report, found: Found, costs: Mapping[str, pd.DataFrame] | None = None) -> list[pd.DataFrame]:
    """Writes each comparison as tables/ablation_<title>, CSV and LaTeX; returns them formatted for reading."""
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
    """The file name of a comparison, without suffix."""
    return f"ablation_{label(title)}"


def _written(value: Any) -> str:
    return (",".join(value) or "none") if isinstance(value, tuple) else str(value)
