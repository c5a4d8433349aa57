"""Run folders and their files, and the table of all runs. This module defines the layout of results/.

results/<dataset>/<name>/   config.json   the parameters, and the revision, versions and data that the run used
                            log.csv       one row per epoch, epochs counted from 0
                            checkpoints/ figures/ tables/ embeddings/ (features of all test images)
                            metrics.json  written last and atomically: marks the run as complete
"""

import contextlib
import dataclasses
import json
import logging
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from fsclib.config import Config, ConfigError, own, presets, registry
from fsclib.config.names import NAME
from fsclib.config.presets import BEFORE
from fsclib.config.schema import RECIPE, difference, parameters_of
from fsclib.config.specs import DATASETS
from fsclib.config.strict import AUTO, nearest, shown
from fsclib.runs import contents
from fsclib.runs.headline import headline
from fsclib.runs.reports import Report
from fsclib.system import paths
from fsclib.system.disk_space import make_folder, writing
from fsclib.system.errors import FsclibError
from fsclib.system.locks import holder, lock_beside, locked
from fsclib.system.storage import remove_abandoned, replacing, temporary_for, write_text

logger = logging.getLogger(__name__)

REPLAY = ".replay"  # suffix of runs that repeat another one: see replay.py
ASIDE = re.compile(rf"(?:\.old-\d+|{re.escape(REPLAY)})$")  # repetitions, and runs that resume=False moved aside: not counted
FIX = "restore the file, or move the folder out of results/"


class RunError(FsclibError, RuntimeError):
    """A missing, broken or conflicting run folder: says what was found and what to do."""


@dataclass(frozen=True)
class Run(Report):
    """One run folder. Construct with `begin` or `load`."""

    config: Config

    @property
    def finished(self) -> bool:
        return (self.folder / "metrics.json").exists()

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json. RunError if the run is not finished."""
        if not self.finished:
            done = f"{len(log)} epochs are done" if len(log := self.log()) else "no epoch is done"
            raise RunError(f"{self.folder} is not finished: {done}. Start the same training again to resume it.")
        return _read(contents.metrics, self.folder / "metrics.json")

    def headline(self) -> pd.DataFrame:
        """The main results of a finished run, one row per protocol, in per cent: means over trials [95 % intervals over people]."""
        return headline(self.metrics, self.find_table("identities"), self.find_table("references"))

    @property
    def environment(self) -> dict[str, Any]:
        """Revision, package versions, device, precision and data hash at the start of the run."""
        return _read(contents.config, self.folder / "config.json")["environment"]

    def checkpoint(self, name: str) -> Path:
        """The path of the checkpoint "last" or "best", whether or not it exists."""
        return self.folder / "checkpoints" / f"{name}.safetensors"

    def log(self) -> pd.DataFrame:
        """The rows of log.csv, one per epoch; empty before the first epoch ends. RunError if the file is not a log."""
        file = self.folder / "log.csv"
        return _read(contents.log, file) if file.exists() else pd.DataFrame()

    def read_table(self, name: str) -> pd.DataFrame:
        """A table that this run saved. RunError if it does not exist or is not such a table."""
        file = self.folder / "tables" / f"{name}.csv"
        test = (
            f"papermill 03_evaluate.ipynb ../results/03_evaluate.ipynb -p dataset {self.config.dataset} -p name {self.folder.name}"
        )
        if not file.exists():
            raise RunError(f"{file} does not exist, perhaps because an older version tested this run; test it again: {test}")
        return _read(contents.table, file, name, fix=f"test the run again: {test}")

    def find_table(self, name: str) -> pd.DataFrame | None:
        """A table that this run saved; None if there is none, as in runs of older versions. RunError if it cannot be read."""
        return self.read_table(name) if (self.folder / "tables" / f"{name}.csv").exists() else None

    def add_to_log(self, row: Mapping[str, Any]) -> None:
        """Appends the row of an epoch and drops existing rows of this and later epochs."""
        file, rows, log = self.folder / "log.csv", pd.DataFrame([row]), self.log()
        if len(log):  # as text: parsing and formatting numbers every epoch could change their last digit
            text = pd.read_csv(file, dtype=str, keep_default_na=False)
            rows = pd.concat([text[(log["epoch"] < row["epoch"]).to_numpy()], rows.astype(object)])
        with replacing(file) as part:
            rows.to_csv(part, index=False)

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Writes metrics.json atomically."""
        _write_json(self.folder / "metrics.json", metrics)


def folder_of(config: Config, results: Path | None = None) -> Path:
    """The folder of this configuration's run, whether or not it exists."""
    return (results or paths.results_dir()) / config.dataset / config.name


def resumes(config: Config, results: Path | None = None) -> bool:
    """Whether there is a run of this name with a checkpoint from which its training resumes."""
    return config.resume and Run(folder_of(config, results), config).checkpoint("last").exists()


def check(config: Config, environment: Mapping[str, Any] | None = None, results: Path | None = None) -> None:
    """Checks that an existing run of this name has the same recipe and, if `environment` is given, the same data and precision.

    Errors: RunError that lists the differences, or if the folder is not a run.
    """
    folder = folder_of(config, results)
    file = folder / "config.json"
    if not config.resume or not folder.exists():
        return
    if not file.exists():
        if not _not_begun(folder):
            raise RunError(f"{folder} exists but is not a run (no config.json); move it away or give this run another name")
        return
    found = _read(contents.config, file)
    differences = difference(_recipe(file, found["config"]), config.recipe())
    if environment is not None:
        both = "weights" in found["environment"] and "weights" in environment  # older runs lack it, and weights may be gone
        names = {"data_hash": "data_hash", "precision": "precision"} | ({"weights": "hash of the initial weights"} if both else {})
        there, here = ({label: of.get(key) for key, label in names.items()} for of in (found["environment"], environment))
        differences += difference(there, here)
    if differences:
        raise RunError(
            f"{folder} holds a run with another configuration (its value vs the given one):\n  "
            + "\n  ".join(differences)
            + "\nGive this run another name (name=…), use that configuration, its data and its initial weights, "
            + "or move the old run aside with resume=False."
        )


@contextlib.contextmanager
def alone(config: Config, results: Path | None = None) -> Iterator[None]:
    """Locks the name of a run while it is trained. RunError if another process holds the lock; dead processes hold none."""
    folder = folder_of(config, results)
    lock = lock_beside(folder)
    make_folder(folder.parent)
    try:
        with locked(lock, None):
            yield
    except BlockingIOError:
        raise RunError(f"{folder} is being trained by {holder(lock)}; wait for it, or give this run another name") from None


def begin(config: Config, environment: Mapping[str, Any], results: Path | None = None) -> Run:
    """The run of this configuration: a new folder, or the existing one, without partial files of a killed process.

    The caller holds the lock on its name, see `alone`. Errors: as in `check`; LinkError if a folder in it is a link.
    """
    folder = folder_of(config, results)
    check(config, environment, results)
    if folder.exists() and not config.resume and not _not_begun(folder):
        _move_aside(folder)
    if not (folder / "config.json").exists():
        make_folder(folder)
        _write_json(folder / "config.json", {"config": config.to_dict(), "environment": dict(environment)})
    for part in ("checkpoints", "figures", "tables"):
        make_folder(folder / part, within=folder)
    run = Run(folder, config)
    if not run.finished:  # partial files may never be replaced: on another machine another epoch may be the best
        for place in (folder, folder / "checkpoints"):
            remove_abandoned(place)
    return run


def load(dataset: str, name: str, results: Path | None = None, *, data_root: str = "", device: str = AUTO, workers: int = 0) -> Run:
    """An existing run, finished or not, to be used on this machine with this `device` and `workers`, and `data_root` if not "".

    Errors: RunError that lists the existing runs if it does not exist, or if the name is invalid, such as a path.
    """
    dataset, data_root, problem = own.recognised(dataset, data_root)
    others = (results or paths.results_dir()) / dataset
    if problem or (dataset not in DATASETS and not (NAME.fullmatch(dataset) and any(others.glob("*/config.json")))):
        expected = f"one of {', '.join(DATASETS)}{nearest(str(dataset), DATASETS)}"
        raise RunError(problem or f"data set: found {shown(dataset)}, expected {expected}")
    if not NAME.fullmatch(name) or not (others / name / "config.json").exists():
        existing = sorted(file.parent.name for file in others.glob("*/config.json"))
        asked = " ".join(f"-p {key} {shlex.quote(str(value))}" for key, value in parameters_of(name, dataset).items())
        raise RunError(
            f"no run {shown(name)} of {dataset!r} in {others}. "
            + (f"Existing runs: {', '.join(existing)}. " if existing else "There are no runs of this data set. ")
            + f"Train it first: papermill 02_train.ipynb ../results/02_train.ipynb -p dataset {dataset} {asked}"
        )
    folder = others / name
    run = _run(folder)
    here = dataclasses.replace(run.config, data_root=data_root or run.config.data_root, device=device, workers=workers)
    return dataclasses.replace(run, config=here)


def recorded(run: Run) -> Run:
    """A run with the device and workers that its config.json records."""
    return _run(run.folder)


def siblings(run: Run, field: str, results: Path | None = None) -> list[Run]:
    """Finished runs on the same images whose recipe and precision differ from this run's only in `field`, one for each value.

    Of several with the same value, the last by name is returned. Runs moved aside and repetitions do not count.
    """

    def alike(other: Run) -> dict[str, Any]:
        keys = ("precision", "pixels_hash", *(("processes",) if other.config.batch == "per-process" else ()))
        return other.config.recipe() | {field: None} | {key: other.environment.get(key) for key in keys}

    found = {}
    for file in sorted((results or paths.results_dir()).glob(f"{run.config.dataset}/*/config.json")):
        with contextlib.suppress(RunError):  # skips other runs that are broken
            other = _run(file.parent)
            if other.finished and not ASIDE.search(other.folder.name) and alike(other) == alike(run):
                found[getattr(other.config, field)] = other
    found.pop(getattr(run.config, field), None)
    return list(found.values())


def report(dataset: str, name: str, results: Path | None = None) -> Report:
    """A folder beside the runs of a data set, for figures and tables that belong to no single run."""
    folder = (results or paths.results_dir()) / dataset / name
    make_folder(folder)
    return Report(folder)


def table(results: Path | None = None, *, dataset: str = "*", names: Collection[str] | None = None) -> pd.DataFrame:
    """A table with one row per run: all runs, or those of a data set or with these names.

    Columns: dataset, name, finished, epochs_done, the recipe, parts of the environment, the figures of metrics.json, and numbers,
    the images and identities of its data set, None if they are not recorded. The name is the folder's, as expected by `load`: a run
    that was moved aside still has its old name in config.json. Runs that cannot be read, such as those of a network that is not
    installed, are left out, and logged with the reason.
    """
    rows = []
    for file in sorted((results or paths.results_dir()).glob(f"{dataset}/*/config.json")):
        if names is not None and file.parent.name not in names:
            continue
        try:
            rows.append(_row(_run(file.parent)))
        except RunError as error:
            logger.warning(f"left out: {error}")
    return pd.DataFrame(rows)


def _run(folder: Path) -> Run:
    file = folder / "config.json"
    found = _read(contents.config, file)
    config = _config(file, found["config"], found["environment"].get("extensions", {}))
    if config.dataset != folder.parent.name:
        raise RunError(f"{file}: found data set {config.dataset!r}, expected {folder.parent.name!r} in this folder; {FIX}")
    if not NAME.fullmatch(folder.name):
        fix = "rename the folder, using letters, digits, dots and dashes"
        raise RunError(f"{folder.parent}: {shown(folder.name)} is not a valid name of a run; {fix}")
    return Run(folder, config)


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `table` for runs that are finished, were not moved aside and do not repeat another run."""
    return table[table["finished"].astype(bool) & ~table["name"].str.contains(ASIDE)] if len(table) else table


def config_of(row: Mapping[str, Any]) -> Config:
    """The configuration with the recipe in a row of `table`."""
    return Config(**{name: row[name] for name in RECIPE})


def _config(file: Path, values: Mapping[str, Any], extensions: Collection[str] = ()) -> Config:
    """The configuration of a run; extensions: packages that were installed at its start and may have added what it names."""
    try:
        return Config(**BEFORE | presets.renamed(values))
    except ConfigError as error:
        missing = sorted(map(shown, set(extensions) - registry.versions().keys()))
        fix = f"install {', '.join(missing)}, which the run was made with, or move the folder out of results/" if missing else FIX
        raise RunError(f"{file}: written by another version? {error}\n{fix}") from error


def _row(run: Run) -> dict[str, Any]:
    environment = run.environment
    row = {"dataset": run.folder.parent.name, "name": run.folder.name, "finished": run.finished, "epochs_done": len(run.log())}
    row |= {key: value for key, value in run.config.recipe().items() if key not in row}
    row |= {key: environment.get(key) for key in ("precision", "revision", "data_hash", "pixels_hash", "synthetic")}
    row |= {"torch": environment.get("packages", {}).get("torch")}
    row["numbers"] = None
    if run.finished:
        row["numbers"] = run.metrics.get("numbers")
        row |= {f"metrics.{key}": value for key, value in run.metrics.items() if isinstance(value, (int, float, str))}
    return row


def _recipe(file: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe in a config.json. Fields missing in older versions come from the presets; unknown fields are kept."""
    known, config = {f.name for f in fields(Config)}, presets.renamed(config)
    recipe = _config(file, {name: value for name, value in config.items() if name in known}).recipe()
    return recipe | {name: value for name, value in config.items() if name not in known}


def _read(reader: Callable[..., Any], file: Path, *words: str, fix: str = FIX) -> Any:
    """The content of a run's file, read by a reader of contents.py; its errors become RunErrors that name the file."""
    try:
        return reader(file, *words)
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error}); {fix}") from error


def _not_begun(folder: Path) -> bool:
    """Whether the folder is empty or contains only partial files of a killed run."""
    return folder.is_dir() and all(temporary_for(found.name) for found in folder.iterdir())


def _move_aside(folder: Path) -> None:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    with writing(aside):
        folder.rename(aside)
    logger.info(f"the earlier run was moved to {aside}")


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    write_text(file, json.dumps(content, indent=1) + "\n")
