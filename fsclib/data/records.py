"""The table of images of a data set, and the problems that it can have.

A row is an image; "rows" elsewhere in the library are integer positions in this table. Training labels are
y = position of the identity among the sorted training identities (published code enumerates a Python set).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from fsclib.config.specs import DatasetSpec
from fsclib.system.errors import FsclibError, printable

COLUMNS = ("path", "identity", "camera", "modality", "split")
VISIBLE, INFRARED = "visible", "infrared"
MODALITIES = (VISIBLE, INFRARED)
SPLITS = ("train", "val", "test")

# Kinds of problems after which no usable data remain, even with strict=False.
MISSING_ROOT = "missing data set"
MISSING_INDEX = "missing index file"
NO_TRAINING = "nothing to train on"
NO_TEST = "nothing to test on"
NO_MATCH = "no match in the test set"
NO_TABLE = "unusable table"
OVERLAP = "on both sides of the split"
FATAL = frozenset({MISSING_ROOT, MISSING_INDEX, NO_TRAINING, NO_TEST, NO_MATCH, NO_TABLE, OVERLAP})
MISNAMED = "misnamed folder"
# Kinds that stop nothing, because nothing is broken: they are kept as notes.
PASSED_OVER = "passed over"
EMPTY_FOLDER = "empty folder"
FAR_BELOW = "far fewer than published"
HARMLESS = frozenset({PASSED_OVER, EMPTY_FOLDER, FAR_BELOW})

SHOWN = 50  # problems written out in full; more would scroll the summary off the screen


@dataclass(frozen=True)
class Problem:
    """A problem: its place, what was found and how to fix it (`fix`). `kind` is the heading under which it is counted."""

    path: str
    line: int | None
    found: str
    fix: str
    kind: str = ""

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return printable(f"{place}: {self.found} — {self.fix}", lines=False)


class DatasetError(FsclibError):
    """All problems of a data set: counts by kind, then one line per problem."""

    def __init__(self, problems: Iterable[Problem], heading: str = "data set"):
        self.problems, self.heading = tuple(problems), heading
        super().__init__(self.problems, heading)

    def __str__(self) -> str:
        kinds = Counter(problem.kind or problem.found for problem in self.problems)
        number = len(self.problems)
        lines = [f"{self.heading}: {number} problem{'s' * (number != 1)}"]
        lines += [f"{count:7d} × {kind}" for kind, count in kinds.most_common()]
        lines += [str(problem) for problem in self.problems[:SHOWN]]
        if number > SHOWN:
            lines.append(f"… and {number - SHOWN} more; notebook 01_data lists all of them")
        return printable("\n".join(lines))  # file names may contain invalid text or terminal control codes


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set on disk.

    problems: the broken entries that are missing from `records`; notes: those that are HARMLESS; permutations: of
    layouts.permutations, empty if the data set has none; permutations_hash: SHA-256 of their file, or "".
    """

    name: str
    spec: DatasetSpec
    root: Path
    records: pd.DataFrame = field(repr=False)
    problems: tuple[Problem, ...] = ()
    trial: int = 1
    notes: tuple[Problem, ...] = ()
    permutations: Mapping[tuple[int, int], Sequence[Sequence[str]]] = field(default_factory=dict, repr=False)
    permutations_hash: str = ""


def table(rows: Sequence[tuple[str, int, int, str, str]]) -> pd.DataFrame:
    """(path, identity, camera, modality, split) tuples as a table with COLUMNS and a RangeIndex."""
    types = {"path": str, "identity": "int64", "camera": "int64", "modality": str, "split": str}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(types)


def select(records: pd.DataFrame, splits: str | Sequence[str], modality: str | None = None) -> np.ndarray:
    """Rows, (N,) int64 ascending, of one or several splits and of one modality or both."""
    chosen = records["split"].isin([splits] if isinstance(splits, str) else list(splits))
    if modality is not None:
        chosen &= records["modality"] == modality
    return np.flatnonzero(chosen.to_numpy()).astype(np.int64)


def training_labels(identities: Sequence[int] | np.ndarray | pd.Series) -> np.ndarray:
    """Position of each identity among the sorted distinct identities: (N,) int64 in 0 … C - 1."""
    return np.unique(np.asarray(identities, dtype=np.int64), return_inverse=True)[1].astype(np.int64)


def held_out_number(identities: int) -> int:
    """How many training identities to hold out: a tenth, but at least 50; at most a fifth; and never fewer than two."""
    return max(2, min(max(50, round(identities / 10)), identities // 5))


def hold_out(records: pd.DataFrame, seed: int, families: Mapping[int, int] | None = None) -> pd.DataFrame:
    """A copy of the records in which split "val" marks the held-out training identities.

    If the data set has validation identities of its own, they are used; otherwise `held_out_number` are drawn with PCG64(seed).
    families: training identity → family; people of one family are held out together, so one more person may be held out.
    Raises ValueError if fewer than two identities would remain for training.
    """
    records = records.copy()
    if (records["split"] == "val").any():
        return records
    training = records["split"] == "train"
    identities = np.unique(records.loc[training, "identity"])
    number = held_out_number(len(identities))
    if len(identities) - number < 2:
        raise ValueError(
            f"holding out {number} of {len(identities)} training identities leaves fewer than two for training; "
            "use a larger data set, or select_on=last, which holds out none"
        )
    family = np.array([families.get(identity, -1 - identity) for identity in identities.tolist()]) if families else identities
    names, sizes = np.unique(family, return_counts=True)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(names))
    chosen = names[order[: 1 + np.searchsorted(np.cumsum(sizes[order]), number)]]
    held = identities[np.isin(family, chosen)]
    records.loc[training & records["identity"].isin(held), "split"] = "val"
    return records


def seen_by_both(records: pd.DataFrame) -> pd.Index:
    """Identities, in ascending order, with images in both modalities."""
    modalities = records.groupby("identity")["modality"].nunique()
    return modalities.index[modalities == len(MODALITIES)]


def lonely_identities(records: pd.DataFrame) -> np.ndarray:
    """Training identities with images in one modality only, ascending int64."""
    training = records.iloc[select(records, ("train", "val"))]
    modalities = training.groupby("identity")["modality"].nunique()
    return modalities.index[modalities < 2].to_numpy(dtype=np.int64)


def check_records(
    records: pd.DataFrame, index: str = "the training index", test_index: str = "the test index", test_only: bool = False
) -> list[Problem]:
    """Problems that prevent cross-modal training or testing. `index` and `test_index` name the files that list the identities.

    test_only: whether all images may be test images; such data can test a network, but not train one.
    """
    problems = []
    training = records.iloc[select(records, ("train", "val"))]
    test = records.iloc[select(records, "test")]

    needed = () if test_only and training.empty else MODALITIES
    absent = [modality for modality in needed if modality not in training["modality"].unique()]
    for modality in absent:
        fix = "training needs images of both modalities for the same identities; restore them"
        problems.append(Problem(index, None, f"no {modality} training image", fix, NO_TRAINING))
    if not absent:
        problems += [_lonely(training[training["identity"] == who], index) for who in lonely_identities(records)]

    absent = [modality for modality in MODALITIES if modality not in test["modality"].unique()]
    for modality in absent:
        fix = "retrieval needs images of both modalities; restore the test images"
        problems.append(Problem(test_index, None, f"no {modality} test image", fix, NO_TEST))
    if not absent:
        visible, infrared = (set(test.loc[test["modality"] == modality, "identity"]) for modality in MODALITIES)
        if not visible & infrared:
            found = f"none of {len(infrared)} infrared test identities is among the {len(visible)} visible ones"
            fix = "no query would have a match; check the identities of the test set"
            problems.append(Problem(test_index, None, found, fix, NO_MATCH))
    return problems


def _lonely(images: pd.DataFrame, index: str) -> Problem:
    identity, present = images["identity"].iloc[0], images["modality"].iloc[0]
    absent = INFRARED if present == VISIBLE else VISIBLE
    folder = str(PurePosixPath(images["path"].iloc[0]).parent)
    found = f"training identity {identity} has {len(images)} {present} image(s) and no {absent} one"
    return Problem(folder, None, found, f"restore its {absent} images or remove it from {index}", "one modality only")


def counts(records: pd.DataFrame) -> pd.DataFrame:
    """Numbers of images and identities on disk by split, modality and camera, in that order."""
    keys = ["split", "modality", "camera"]
    found = records.groupby(keys)["identity"].agg(images="size", identities="nunique").reset_index()
    order = [found["split"].map(SPLITS.index), found["modality"].map(MODALITIES.index), found["camera"]]
    return found.iloc[np.lexsort(order[::-1])].reset_index(drop=True)
