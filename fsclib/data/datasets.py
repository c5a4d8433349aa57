"""Opens a data set by name: finds its folder, reads its layout, and refuses or leaves out what is broken."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from fsclib import paths
from fsclib.data import llcm, regdb, sysu
from fsclib.data.records import FATAL, Dataset, DatasetError, Problem, check_records, lonely_identities
from fsclib.disk import make_folder
from fsclib.locks import lock_beside, locked
from fsclib.strict import nearest

LAYOUTS = MappingProxyType({"sysu": sysu, "regdb": regdb, "llcm": llcm})
FOLDERS = MappingProxyType({"demo": "demo", "sysu": "SYSU-MM01", "regdb": "RegDB", "llcm": "LLCM"})
NAMES = tuple(FOLDERS)

# Enough people to learn from and 120 to be tested on, few enough images that two cores draw and learn them in minutes.
DEMO = MappingProxyType(
    {
        "layout": "llcm",
        "identities": 1320,
        "seed": 1,
        "images": 1,
        "test_images": 2,
        "train_share": 0.9091,
        "difficulty": "moderate",
    }
)


def open_dataset(
    name: str,
    root: str | Path | None = None,
    trial: int = 1,
    strict: bool = True,
    data_dir: str | Path | None = None,
) -> Dataset:
    """The data set `name` ("demo", "sysu", "regdb" or "llcm") that lies in `root`, by default in its folder below data/.

    strict: raise DatasetError, listing everything, if anything at all is broken; otherwise leave broken entries and
    training identities of one modality out and keep their problems, and raise only where nothing usable remains.
    `trial` chooses RegDB's split, 1 … 10; the others have one. "demo" is written on first use.
    Raises ValueError for an unknown name or an impossible trial.
    """
    return settle(read_dataset(name, root, trial, data_dir), strict=strict)


def read_dataset(name: str, root: str | Path | None = None, trial: int = 1, data_dir: str | Path | None = None) -> Dataset:
    """As `open_dataset`, but with everything that is wrong, and nothing refused yet: its images may be broken as well."""
    if name not in NAMES:
        raise ValueError(f"unknown data set {name!r}, expected one of {', '.join(NAMES)}{nearest(str(name), NAMES)}")
    layout = DEMO["layout"] if name == "demo" else name
    if layout != "regdb" and trial != 1:
        raise ValueError(f"{name} has a single split, so trial is 1, not {trial!r}; only RegDB has trials 1 to 10")
    folder = Path(root if root is not None else Path(data_dir or paths.data_dir()) / FOLDERS[name]).expanduser()
    if name == "demo" and root is None:
        _write_demo(folder)

    records, problems = LAYOUTS[layout].read(folder, trial)
    return Dataset(name, layout, folder, records, tuple(problems), trial)


def settle(dataset: Dataset, broken: Sequence[Problem] = (), strict: bool = True) -> Dataset:
    """The data set without images that turned out `broken` (problems whose path is a record's) and what that leaves useless.

    Raises DatasetError that lists all problems, old and new, if nothing usable remains, or if strict and there is any.
    """
    problems = [*dataset.problems, *broken]
    records = dataset.records[~dataset.records["path"].isin([problem.path for problem in broken])]
    if not _fatal(problems):  # else the checks would only repeat what follows from a missing file
        layout = LAYOUTS[dataset.layout]
        indexes = layout.training_index(dataset.trial), layout.retrieval_index(dataset.trial)
        problems += check_records(records, *indexes)
        records = _without_lonely(records)
        if not _fatal(problems):
            problems += check_records(records, *indexes)  # those dropped may have been the last
    if _fatal(problems) or (strict and problems):
        remedy = " (delete the folder to have it written anew)" if dataset.name == "demo" else ""
        raise DatasetError(problems, f"{dataset.name} in {dataset.root}{remedy}")
    return replace(dataset, records=records.reset_index(drop=True), problems=tuple(problems))


def _fatal(problems: Sequence[Problem]) -> bool:
    return any(problem.kind in FATAL for problem in problems)


def _without_lonely(records: pd.DataFrame) -> pd.DataFrame:
    training = records["split"].isin(["train", "val"])
    dropped = training & records["identity"].isin(lonely_identities(records))
    return records[~dropped]


def _write_demo(folder: Path) -> None:
    """Written on first use, and completed if that was interrupted; of two processes one writes and the other waits."""
    from fsclib.data import synthetic  # not needed to read, and it starts worker processes

    make_folder(folder.parent)
    with locked(lock_beside(folder), "the demo corpus is being drawn"):
        synthetic.write_corpus(folder, **DEMO)
