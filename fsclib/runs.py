"""A run folder and its files; a table of all runs. Nothing else in the library writes into results/.

    results/<dataset>/<name>/   config.json   what was run: the parameters, and the revision, versions and data it ran with
                                log.csv       a row an epoch
                                checkpoints/ figures/ tables/ embeddings/
                                metrics.json  written last and at once: the mark that the run is complete
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from fsclib import paths
from fsclib.config import Config, difference
from fsclib.files import replacing


class RunError(RuntimeError):
    """A run folder that does not fit what is asked: says what lies there and what to do."""


@dataclass(frozen=True)
class Run:
    """One run folder. Construct with `begin` or `load`."""

    folder: Path
    config: Config

    @property
    def finished(self) -> bool:
        return (self.folder / "metrics.json").exists()

    @property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds. RunError if the run is not finished."""
        if not self.finished:
            raise RunError(f"{self.folder} is not finished: {_state(self.folder)}. Start the same training again, it goes on.")
        return json.loads((self.folder / "metrics.json").read_text())

    @property
    def environment(self) -> dict[str, Any]:
        """Revision, package versions, device, precision and data hash that the run began with."""
        return json.loads((self.folder / "config.json").read_text())["environment"]

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint "last" or "best" lies, or would lie."""
        return self.folder / "checkpoints" / f"{name}.safetensors"

    def log(self) -> pd.DataFrame:
        """The rows of log.csv, one an epoch; empty before the first."""
        file = self.folder / "log.csv"
        return pd.read_csv(file) if file.exists() else pd.DataFrame()

    def add_to_log(self, row: Mapping[str, Any]) -> None:
        """Puts the row of an epoch in place of any that stands there for this or a later epoch."""
        log = self.log()
        if len(log):
            log = log[log["epoch"] < row["epoch"]]
        rows = pd.concat([log, pd.DataFrame([row])]) if len(log) else pd.DataFrame([row])
        with replacing(self.folder / "log.csv") as file:
            rows.to_csv(file, index=False)

    def save_figure(self, figure: Any, name: str) -> Path:
        """Writes a matplotlib figure as PDF and PNG; returns the PNG's path."""
        for kind, metadata in (("pdf", {"CreationDate": None}), ("png", None)):  # no date: the same figure gives the same file
            file = self.folder / "figures" / f"{name}.{kind}"
            file.parent.mkdir(exist_ok=True)
            figure.savefig(file, format=kind, dpi=200, bbox_inches="tight", metadata=metadata)
        return file

    def save_table(self, table: pd.DataFrame, name: str) -> Path:
        """Writes a table as CSV and LaTeX; returns the CSV's path."""
        file = self.folder / "tables" / f"{name}.csv"
        file.parent.mkdir(exist_ok=True)
        with replacing(file) as part:
            table.to_csv(part, index=False)
        with replacing(file.with_suffix(".tex")) as part:
            part.write_text(table.style.hide(axis="index").format(escape="latex", precision=2).to_latex(hrules=True))
        return file

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Writes metrics.json, whole or not at all."""
        _write_json(self.folder / "metrics.json", metrics)


def begin(config: Config, environment: Mapping[str, Any], results: Path | None = None) -> Run:
    """The run of this configuration: a new folder, or the one where it was left off.

    Errors: RunError, with the differences, if a run of this name was made with another recipe, other data or another precision.
    """
    folder = (results or paths.results_dir()) / config.dataset / config.name
    file = folder / "config.json"
    if folder.exists() and not config.resume:
        _move_aside(folder)
    if file.exists():
        found = _read_config(file)
        differences = difference(_recipe(found["config"]), config.recipe())
        differences += [
            f"{key}: {found['environment'].get(key)!r} there, {environment.get(key)!r} here"
            for key in ("data_hash", "precision")
            if found["environment"].get(key) != environment.get(key)
        ]
        if differences:
            raise RunError(
                f"{folder} holds a run with another configuration:\n  " + "\n  ".join(differences)
                + "\nGive this run a name of its own (name=…), use that configuration, or move the old run aside with resume=False."
            )
        return Run(folder, config)
    if folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} exists and is no run (it has no config.json); move it away or give this run another name")
    for part in ("checkpoints", "figures", "tables"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _write_json(file, {"config": config.to_dict(), "environment": dict(environment)})
    return Run(folder, config)


def load(dataset: str, name: str, results: Path | None = None) -> Run:
    """An existing run, finished or not. RunError that lists the runs there are if it does not exist."""
    folder = (results or paths.results_dir()) / dataset / name
    if not (folder / "config.json").exists():
        there = sorted(file.parent.name for file in folder.parent.glob("*/config.json"))
        raise RunError(
            f"no run {name!r} of {dataset!r}: {folder / 'config.json'} does not exist. "
            + (f"There are: {', '.join(there)}. " if there else "There are no runs of this data set. ")
            + f"Train it first: papermill 02_train.ipynb out.ipynb -p dataset {dataset} -p name {name}"
        )
    return Run(folder, Config(**_read_config(folder / "config.json")["config"]))


def table(results: Path | None = None) -> pd.DataFrame:
    """All runs, one row each: dataset, name, state, epochs done, recipe, and the figures of metrics.json as columns."""
    rows = []
    for file in sorted((results or paths.results_dir()).glob("*/*/config.json")):
        content = _read_config(file)
        run = Run(file.parent, Config(**content["config"]))
        row = {"dataset": run.config.dataset, "name": run.config.name, "finished": run.finished, "epochs_done": len(run.log())}
        row |= {key: value for key, value in run.config.recipe().items() if key not in row}
        row |= {"revision": content["environment"].get("revision"), "data_hash": content["environment"].get("data_hash")}
        if run.finished:
            row |= {f"metrics.{key}": value for key, value in run.metrics.items() if isinstance(value, (int, float, str))}
        rows.append(row)
    return pd.DataFrame(rows)


def _recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    outside = {f.name for f in fields(Config) if not f.metadata["recipe"]}
    return {name: value for name, value in config.items() if name not in outside}


def _read_config(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
        content["config"], content["environment"]
        return content
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file}: not a run's configuration ({error!r}); move the folder away or restore the file") from error


def _state(folder: Path) -> str:
    log = folder / "log.csv"
    return f"{len(pd.read_csv(log))} epochs are done" if log.exists() else "no epoch is done"


def _move_aside(folder: Path) -> None:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    shutil.move(folder, aside)
    print(f"the earlier run was moved to {aside}", flush=True)


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    with replacing(file) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")
