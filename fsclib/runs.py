"""A run folder and its files; a table of all runs. What is written into results/ is written where this module says.

    results/<dataset>/<name>/   config.json   what was run: the parameters, and the revision, versions and data it ran with
                                log.csv       a row an epoch, epochs counted from 0
                                checkpoints/ figures/ tables/ embeddings/ (features of all test images)
                                metrics.json  written last and at once: the mark that the run is complete
"""

import contextlib
import dataclasses
import json
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from fsclib import paths, runfiles
from fsclib.config import NAME, Config, ConfigError, difference
from fsclib.disk import make_folder, writing
from fsclib.files import PART, remove_abandoned, replacing, write_text
from fsclib.locks import holder, lock_beside, locked
from fsclib.presets import BEFORE, DATASETS
from fsclib.report import Report
from fsclib.strict import AUTO, nearest, shown

REPLAY = ".replay"  # ends the names of runs that repeat another: see replay.py
ASIDE = re.compile(rf"(?:\.old-\d+|{re.escape(REPLAY)})$")  # and of those that resume=False moved aside: neither counts
LAST = Path("checkpoints", "last.safetensors")
MEND = "restore the file, or move the folder out of results/"


class RunError(RuntimeError):
    """A run folder that does not fit what is asked: says what lies there and what to do."""


@dataclass(frozen=True)
class Run(Report):
    """One run folder. Construct with `begin` or `load`."""

    config: Config

    @property
    def finished(self) -> bool:
        return (self.folder / "metrics.json").exists()

    @property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds. RunError if the run is not finished."""
        if not self.finished:
            done = f"{len(log)} epochs are done" if len(log := self.log()) else "no epoch is done"
            raise RunError(f"{self.folder} is not finished: {done}. Start the same training again, it goes on.")
        return _read(runfiles.metrics, self.folder / "metrics.json")

    def headline(self) -> pd.DataFrame:
        """What stands for a finished run, a row a protocol, in per cent: means over trials."""
        rows: dict[str, dict[str, Any]] = {}
        for name, value in self.metrics.items():
            protocol, _, figure = name.rpartition(".")
            if protocol:
                rows.setdefault(protocol, {"protocol": protocol.replace(".", " ")})[figure] = round(value, 2)
        return pd.DataFrame(list(rows.values()))

    @property
    def environment(self) -> dict[str, Any]:
        """Revision, package versions, device, precision and data hash that the run began with."""
        return _read(runfiles.config, self.folder / "config.json")["environment"]

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint "last" or "best" lies, or would lie."""
        return self.folder / "checkpoints" / f"{name}.safetensors"

    def log(self) -> pd.DataFrame:
        """The rows of log.csv, one an epoch; empty before the first. RunError for a file that is no log."""
        file = self.folder / "log.csv"
        return _read(runfiles.log, file) if file.exists() else pd.DataFrame()

    def read_table(self, name: str) -> pd.DataFrame:
        """A table that this run saved. RunError if it is not there, or no such table."""
        file = self.folder / "tables" / f"{name}.csv"
        test = f"papermill 03_evaluate.ipynb out.ipynb -p dataset {self.config.dataset} -p name {self.folder.name}"
        if not file.exists():
            raise RunError(f"{file} does not exist, perhaps an earlier version tested this run; test it again: {test}")
        return _read(runfiles.table, file, name, mend=f"test the run again: {test}")

    def add_to_log(self, row: Mapping[str, Any]) -> None:
        """Puts the row of an epoch in place of any that stands there for this or a later epoch."""
        file, rows, log = self.folder / "log.csv", pd.DataFrame([row]), self.log()
        if len(log):  # as text: numbers that are read and written every epoch may lose their last digit
            text = pd.read_csv(file, dtype=str, keep_default_na=False)
            rows = pd.concat([text[(log["epoch"] < row["epoch"]).to_numpy()], rows.astype(object)])
        with replacing(file) as part:
            rows.to_csv(part, index=False)

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Writes metrics.json, whole or not at all."""
        _write_json(self.folder / "metrics.json", metrics)


def folder_of(config: Config, results: Path | None = None) -> Path:
    """Where the run of this configuration lies, or would lie."""
    return (results or paths.results_dir()) / config.dataset / config.name


def check(config: Config, environment: Mapping[str, Any] | None = None, results: Path | None = None) -> None:
    """Refuses a run of this name with another recipe, and, where `environment` is given, with other data or another precision.

    Errors: RunError with the differences, or for a folder that is no run.
    """
    folder = folder_of(config, results)
    file = folder / "config.json"
    if not config.resume or not folder.exists():
        return
    if not file.exists():
        if not _not_begun(folder):
            raise RunError(f"{folder} exists and is no run (it has no config.json); move it away or give this run another name")
        return
    found = _read(runfiles.config, file)
    differences = difference(_recipe(file, found["config"]), config.recipe())
    if environment is not None:
        keys = ("data_hash", "precision", *(("weights",) if "weights" in found["environment"] else ()))  # older ones do not say
        differences += difference({k: found["environment"].get(k) for k in keys}, {k: environment.get(k) for k in keys})
    if differences:
        raise RunError(
            f"{folder} holds a run with another configuration:\n  " + "\n  ".join(differences)
            + "\nGive this run a name of its own (name=…), use that configuration, or move the old run aside with resume=False."
        )


@contextlib.contextmanager
def alone(config: Config, results: Path | None = None) -> Iterator[None]:
    """Holds the name of a run while it is trained. RunError if another process holds it; a dead process holds nothing."""
    folder = folder_of(config, results)
    lock = lock_beside(folder)
    make_folder(folder.parent)
    try:
        with locked(lock, None):
            yield
    except BlockingIOError:
        raise RunError(f"{folder} is being trained by {holder(lock)}; wait for it, or give this run another name") from None


def begin(config: Config, environment: Mapping[str, Any], results: Path | None = None) -> Run:
    """The run of this configuration: a new folder, or the one where it was left off, without what was half-written when it was
    killed. Its name is held, as by `alone`. Errors: as in `check`."""
    folder = folder_of(config, results)
    check(config, environment, results)
    if folder.exists() and not config.resume and not _not_begun(folder):
        _move_aside(folder)
    if not (folder / "config.json").exists():
        make_folder(folder)
        _write_json(folder / "config.json", {"config": config.to_dict(), "environment": dict(environment)})
    for part in ("checkpoints", "figures", "tables"):
        make_folder(folder / part)
    run = Run(folder, config)
    if not run.finished:  # on another machine the best epoch may be another one, and its file not written again
        for place in (folder, folder / "checkpoints"):
            remove_abandoned(place)
    return run


def load(dataset: str, name: str, results: Path | None = None, *, data_root: str = "", device: str = AUTO, workers: int = 0) -> Run:
    """An existing run, finished or not, to be used on this machine: where its data lie if they have moved, device and workers.

    Errors: RunError that lists the runs there are if it does not exist, and for what cannot be the name of one, such as a path.
    """
    if dataset not in DATASETS:
        raise RunError(f"data set: found {shown(dataset)}, expected one of {', '.join(DATASETS)}{nearest(str(dataset), DATASETS)}")
    others = (results or paths.results_dir()) / dataset
    if not NAME.fullmatch(name) or not (others / name / "config.json").exists():
        there = sorted(file.parent.name for file in others.glob("*/config.json"))
        raise RunError(
            f"no run {shown(name)} of {dataset!r} in {others}. "
            + (f"There are: {', '.join(there)}. " if there else "There are no runs of this data set. ")
            + f"Train it first: papermill 02_train.ipynb out.ipynb -p dataset {dataset} -p name {shlex.quote(name)}"
        )
    folder = others / name
    run = _run(folder)
    here = {"data_root": data_root or run.config.data_root, "device": device, "workers": workers}
    return dataclasses.replace(run, config=dataclasses.replace(run.config, **here))


def recorded(run: Run) -> Run:
    """A run as its config.json has it: with device and workers as when it began."""
    return _run(run.folder)


def siblings(run: Run, field: str, results: Path | None = None) -> list[Run]:
    """Finished runs on the same images whose recipe and precision differ from this one's in nothing but `field`, one for each
    value of it: where there are several, the last in the order of names. Runs moved aside and repetitions do not count."""

    def alike(other: Run) -> dict[str, Any]:
        keys = ("precision", "pixels_hash", *(("ranks",) if other.config.batch == "per-rank" else ()))
        return other.config.recipe() | {field: None} | {key: other.environment.get(key) for key in keys}

    found = {}
    for file in sorted((results or paths.results_dir()).glob(f"{run.config.dataset}/*/config.json")):
        with contextlib.suppress(RunError):  # a broken neighbour is no concern of this run
            other = _run(file.parent)
            if other.finished and not ASIDE.search(other.folder.name) and alike(other) == alike(run):
                found[getattr(other.config, field)] = other
    found.pop(getattr(run.config, field), None)
    return list(found.values())


def report(dataset: str, name: str, results: Path | None = None) -> Report:
    """A folder beside the runs of a data set, for what belongs to none of them."""
    folder = (results or paths.results_dir()) / dataset / name
    make_folder(folder)
    return Report(folder)


def table(results: Path | None = None, *, dataset: str = "*", names: Collection[str] | None = None) -> pd.DataFrame:
    """All runs, or those of a data set or with these names, one row each.

    Columns dataset, name, finished, epochs_done, the recipe, parts of the environment, and the figures of metrics.json. The name is
    the folder's, which `load` takes: a run that was moved aside still has its old one in config.json.
    Errors: RunError that names every file that cannot be read.
    """
    rows, broken = [], []
    for file in sorted((results or paths.results_dir()).glob(f"{dataset}/*/config.json")):
        if names is not None and file.parent.name not in names:
            continue
        try:
            rows.append(_row(_run(file.parent)))
        except RunError as error:
            broken.append(str(error))
    if broken:
        raise RunError("\n".join(broken))
    return pd.DataFrame(rows)


def _run(folder: Path) -> Run:
    file = folder / "config.json"
    config = _config(file, _read(runfiles.config, file)["config"])
    if config.dataset != folder.parent.name:
        raise RunError(f"{file}: found data set {config.dataset!r} in a folder of {folder.parent.name}; {MEND}")
    if not NAME.fullmatch(folder.name):
        mend = "rename the folder, to letters, digits, dots and dashes"
        raise RunError(f"{folder.parent}: {shown(folder.name)} cannot be the name of a run; {mend}")
    return Run(folder, config)


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `table` whose runs are finished, were not moved aside and do not repeat another."""
    return table[table["finished"].astype(bool) & ~table["name"].str.contains(ASIDE)] if len(table) else table


def config_of(row: Mapping[str, Any]) -> Config:
    """The recipe of a row of `table`."""
    return Config(**{f.name: row[f.name] for f in fields(Config) if f.metadata["recipe"]})


def _config(file: Path, values: Mapping[str, Any]) -> Config:
    try:
        return Config(**BEFORE | dict(values))
    except ConfigError as error:
        raise RunError(f"{file}: written by another version? {error}\n{MEND}") from error


def _row(run: Run) -> dict[str, Any]:
    environment = run.environment
    row = {"dataset": run.folder.parent.name, "name": run.folder.name, "finished": run.finished, "epochs_done": len(run.log())}
    row |= {key: value for key, value in run.config.recipe().items() if key not in row}
    row |= {key: environment.get(key) for key in ("precision", "revision", "data_hash", "pixels_hash", "synthetic")}
    row |= {"torch": environment.get("packages", {}).get("torch")}
    if run.finished:
        row |= {f"metrics.{key}": value for key, value in run.metrics.items() if isinstance(value, (int, float, str))}
    return row


def _recipe(file: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe in a config.json. What an older version did not know is as the presets have it; what a newer one knows is kept."""
    known = {f.name for f in fields(Config)}
    recipe = _config(file, {name: value for name, value in config.items() if name in known}).recipe()
    return recipe | {name: value for name, value in config.items() if name not in known}


def _read(reader: Callable[..., Any], file: Path, *words: str, mend: str = MEND) -> Any:
    """What a reader of runfiles finds in a file of a run; RunError with the file in place of its errors."""
    try:
        return reader(file, *words)
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error}); {mend}") from error


def _not_begun(folder: Path) -> bool:
    """Whether the folder holds nothing, or only what a killed run was about to write."""
    return folder.is_dir() and all(found.suffix == PART for found in folder.iterdir())


def _move_aside(folder: Path) -> None:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    with writing(aside):
        folder.rename(aside)
    print(f"the earlier run was moved to {aside}", flush=True)


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    write_text(file, json.dumps(content, indent=1) + "\n")


def main(words: Sequence[str]) -> None:
    """`python -m fsclib.runs`: all runs; `… DATASET NAME`: the result of one and where its files lie; `… replay`: see replay.py."""
    if words[:1] == ["replay"]:
        from fsclib import replay  # which trains, and so stands above this module

        replay.command(words[1:])
    elif len(words) == 2:
        run = load(*words)
        print(run.headline().to_string(index=False))
        print(f"in per cent, means over trials; selected on {run.metrics.get('select_on', 'what nobody wrote down')}")
        print(f"figures: {run.folder / 'figures'}\ntables:  {run.folder / 'tables'}")
    elif not words:
        runs = table()
        print(runs[["dataset", "name", "finished", "epochs_done"]].to_string(index=False) if len(runs) else "there are no runs")
    else:
        sys.exit("usage: python -m fsclib.runs [[replay] DATASET NAME]")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RunError, OSError) as error:
        sys.exit(str(error))
