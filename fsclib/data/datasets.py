"""Opens a data set by name: finds its folder, reads its layout, and rejects or skips broken entries."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pandas as pd

from fsclib.config import own
from fsclib.config.specs import DATASETS
from fsclib.config.strict import nearest
from fsclib.data import links, notes
from fsclib.data.layouts import llcm, own_images, regdb, sysu
from fsclib.data.layouts.permutations import read_permutations
from fsclib.data.literature import far_below
from fsclib.data.records import FATAL, HARMLESS, Dataset, DatasetError, Problem, check_records, lonely_identities
from fsclib.system import paths

LAYOUTS: dict[str, ModuleType] = {"sysu": sysu, "regdb": regdb, "llcm": llcm, "own": own_images}
MARK = "corpus.json"  # in the folder of each synthetic corpus; records how it was generated


def open_dataset(
    name: str,
    root: str | Path | None = None,
    trial: int = 1,
    strict: bool = True,
    data_dir: str | Path | None = None,
) -> Dataset:
    """The data set `name`, a key of specs.DATASETS or a path as in config.own, in `root`, by default in its folder in data/.

    strict: raise DatasetError, which lists all problems, if anything is broken; otherwise skip broken entries and training
    identities with one modality only, keep their problems, and raise only if nothing usable remains.
    `trial` selects the split of RegDB or of one's own data, 1 … 10; the others have one.
    Raises ValueError for an unknown name or an invalid trial.
    """
    return settle(read_dataset(name, root, trial, data_dir), strict=strict)


def read_dataset(name: str, root: str | Path | None = None, trial: int = 1, data_dir: str | Path | None = None) -> Dataset:
    """As `open_dataset`, but collects all problems without raising, because images may turn out broken later.

    Notes, such as files that were passed over, are logged once.
    """
    name, root, problem = own.recognised(name, str(root or ""))
    if problem:
        raise ValueError(problem)
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}, expected one of {', '.join(DATASETS)}{nearest(str(name), DATASETS)}")
    spec = DATASETS[name]
    if problem := spec.trial_problem(trial):
        raise ValueError(f"trial of {name}: {problem}")
    place = Path(root or Path(data_dir or paths.data_dir()) / spec.folder).expanduser()
    records, found = LAYOUTS[spec.layout].read(place, trial, spec)
    folder = place.parent if place.suffix.lower() == own.TABLE else place
    permutations, digest, unusable = read_permutations(folder, records, spec)
    problems = tuple(problem for problem in (*found, *unusable) if problem.kind not in HARMLESS)
    harmless = tuple(problem for problem in found if problem.kind in HARMLESS)
    if not _fatal(problems) and not (folder / MARK).exists():
        harmless = (*far_below(records, name), *harmless)
    links.remark(folder, records["path"])
    notes.remark(folder, harmless)
    return Dataset(name, spec, folder, records, problems, trial, harmless, permutations, digest)


def settle(dataset: Dataset, broken: Sequence[Problem] = (), strict: bool = True) -> Dataset:
    """The data set without `broken` images (problems whose path is a record's) and the identities that become unusable.

    Raises DatasetError that lists all problems, old and new, if nothing usable remains, or if strict and there are any.
    """
    problems = [*dataset.problems, *broken]
    records = dataset.records[~dataset.records["path"].isin([problem.path for problem in broken])]
    if not _fatal(problems):  # else the checks would only report consequences of a missing file
        layout = LAYOUTS[dataset.spec.layout]
        indexes = layout.training_index(dataset.trial), layout.retrieval_index(dataset.trial)
        test_only = layout is own_images
        problems += check_records(records, *indexes, test_only)
        records = _without_lonely(records)
        if not _fatal(problems):
            problems += check_records(records, *indexes, test_only)  # the dropped identities may have been the last ones
    if _fatal(problems) or (strict and problems):
        remedy = f" ({dataset.spec.remedy})" if dataset.spec.remedy else ""
        raise DatasetError(problems, f"{dataset.name} in {dataset.root}{remedy}")
    return replace(dataset, records=records.reset_index(drop=True), problems=tuple(problems))


def _fatal(problems: Sequence[Problem]) -> bool:
    return any(problem.kind in FATAL for problem in problems)


def _without_lonely(records: pd.DataFrame) -> pd.DataFrame:
    training = records["split"].isin(["train", "val"])
    dropped = training & records["identity"].isin(lonely_identities(records))
    return records[~dropped]
