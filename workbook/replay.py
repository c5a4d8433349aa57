"""Repeats a finished run from its config.json, and reports what has changed since and whether the numbers agree.

    python -m workbook.replay DATASET NAME
    python -m workbook.replay results/llcm/fsc-paper-seed0     # a run by its folder, wherever it is
        --data-root FOLDER --device DEVICE --devices N --workers N    # if this machine differs from the run's

The repeat is a separate run, NAME.replay, which tables leave out. It resumes an interrupted repeat if nothing has changed.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from fsclib import runs
from fsclib.config import Config
from fsclib.config.names import LONGEST
from fsclib.config.schema import difference
from fsclib.data.pixels.decoding import usable_cores
from fsclib.data.pixels.errors import DecodingError
from fsclib.data.records import DatasetError
from fsclib.retrieval import evaluation
from fsclib.runs import Run, RunError, checkpoint
from fsclib.runs.assemble import environment_of
from fsclib.runs.checkpoint import CheckpointError
from fsclib.runs.folder import REPLAY
from fsclib.system.device import device_of
from fsclib.training import loop
from workbook import demo


@dataclass(frozen=True, eq=False)
class Replay:
    """A run (`there`) and its repeat (`here`).

    figures   one row per entry of metrics.json: figure, there, here, difference (nan unless both are numbers), same
    weights   whether the tested checkpoints are identical, bit for bit; None if the original's is gone
    epoch     the first epoch in which log.csv differs, counted from 1, and how; "" if none does
    """

    there: Run
    here: Run
    figures: pd.DataFrame
    weights: bool | None
    epoch: str

    @property
    def agrees(self) -> bool:
        """Whether every entry of metrics.json is the same, to the last digit."""
        return bool(self.figures["same"].all())

    def __str__(self) -> str:
        weights = {True: "are the same, bit for bit", False: "differ", None: f"cannot be compared: {self.there.folder} has none"}
        other = (~self.figures["same"]).sum()
        return "\n".join(
            [
                self.figures.to_string(index=False, na_rep=""),
                f"there: the original, {self.there.folder}\nhere:  the repeat, {self.here.folder}",
                f"{other} of {len(self.figures)} entries of metrics.json differ" if other else "all entries of metrics.json agree",
                f"weights {weights[self.weights]}",
                f"log.csv differs from {self.epoch}" if self.epoch else "all epochs of log.csv agree",
            ]
        )


def replay(run: Run) -> Replay:
    """Trains and tests a finished run again, in a folder beside it.

    Errors: RunError before any training if the run is unfinished, its data have changed or it asks for more processes than this
    machine has cores or GPUs; those of `fit`.
    """
    _ = run.metrics
    _check_processes(run)
    demo.ensure(run.config.dataset, run.config.data_root)
    images = evaluation.run_images(run)
    config = config_of(run)
    device = device_of(config.device)
    now = environment_of(config, device, getattr(torch, config.precision), images, config.devices)
    changes = difference(flat({"processes": 1} | run.environment), flat(now))  # earlier versions did not record processes
    print(
        "\n  ".join([f"{run.folder} ran in " + ("another environment:" if changes else "the present environment"), *changes]),
        flush=True,
    )
    folder = runs.folder_of(config)
    begun = (folder / "config.json").exists() and runs.load(config.dataset, config.name).environment
    here = loop.fit(replace(config, resume=not begun or begun == now))
    return compare(run, here)


def config_of(run: Run) -> Config:
    """The configuration of a repeat: the run's, under another name, with the precision that "auto" resolved to, and decoded by no
    more processes than this machine has cores."""
    name = run.folder.name[: LONGEST - len(REPLAY)] + REPLAY
    workers = min(run.config.workers, usable_cores())
    return replace(run.config, name=name, precision=run.environment["precision"], workers=workers)


def _check_processes(run: Run) -> None:
    """Refuses more processes than this machine has cores or GPUs, since the config.json may be untrusted."""
    most = max(usable_cores(), torch.cuda.device_count())
    if run.config.devices > most:
        found = f"devices: found {run.config.devices} in the configuration of {run.folder}, expected at most {most} on this machine"
        fix = "with batch=global, any divisor of its identities per step gives the same numbers up to rounding"
        raise RunError(f"{found}; pass --devices {most} or fewer ({fix})")


def compare(there: Run, here: Run) -> Replay:
    """Compares two finished runs entry by entry. Errors: RunError, CheckpointError if `here` has no checkpoint."""
    figures = [_entry(name, there.metrics.get(name), here.metrics.get(name)) for name in {**there.metrics, **here.metrics}]
    files = [run.checkpoint("best") for run in (there, here)]
    weights = checkpoint.fingerprint(files[0]) == checkpoint.fingerprint(files[1]) if files[0].exists() else None
    return Replay(there, here, pd.DataFrame(figures), weights, first_difference(there.log(), here.log()))


def first_difference(there: pd.DataFrame, here: pd.DataFrame) -> str:
    """The first epoch in which two logs differ, durations aside, and how; "" if none does."""
    for epoch in range(max(len(there), len(here))):
        rows = [log.iloc[epoch].dropna().to_dict() if epoch < len(log) else {} for log in (there, here)]
        for row in rows:
            row.pop("seconds", None)
        if found := difference(*rows):
            return f"epoch {epoch + 1}: {'; '.join(found)}"
    return ""


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Flattens a table of tables: {"packages": {"torch": …}} → {"packages torch": …}."""
    found = {}
    for name, value in values.items():
        found |= {f"{name} {part}": v for part, v in value.items()} if isinstance(value, Mapping) else {name: value}
    return found


def main(words: Sequence[str]) -> int:
    """Returns the exit status: 0 if all numbers agree, else 1. Errors: those of `replay`."""
    parser = _parser()
    here = vars(parser.parse_args(words))
    place = here.pop("run")
    if len(place) > 2:
        parser.error("expected the folder of a run, or its data set and its name")
    folder = Path(place[0]).resolve()
    run = runs.load(*place) if len(place) == 2 else runs.load(folder.parent.name, folder.name, folder.parent.parent)
    run = runs.recorded(run)
    found = replay(replace(run, config=replace(run.config, **here)))
    print(found)
    return int(not found.agrees)


def command(words: Sequence[str]) -> None:
    """Runs `main` and exits."""
    try:
        sys.exit(main(words))
    except (ValueError, OSError, DatasetError, RunError, CheckpointError, DecodingError, loop.TrainingError) as error:
        sys.exit(str(error))


def _entry(name: str, there: Any, here: Any) -> dict[str, Any]:
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (there, here))
    same = there == here or (numbers and there != there and here != here)
    return {"figure": name, "there": there, "here": here, "difference": here - there if numbers else float("nan"), "same": same}


def _parser() -> argparse.ArgumentParser:
    description = "Repeats a finished run and reports what has changed and whether the numbers agree: exit status 0 if they do."
    parser = argparse.ArgumentParser("python -m workbook.replay", description=description, argument_default=argparse.SUPPRESS)
    parser.add_argument("run", nargs="+", help="its folder, or its data set and its name")
    parser.add_argument("--data-root", help="folder of the data set, if it has moved since the training")
    parser.add_argument("--device", help="another device than the run's: cpu, cuda, cuda:N or mps; auto: a GPU if there is one")
    parser.add_argument("--devices", type=int, help="processes that train together; by default as many as the run's")
    parser.add_argument("--workers", type=int, help="processes that decode images; 0: one per core")
    return parser


if __name__ == "__main__":
    command(sys.argv[1:])
