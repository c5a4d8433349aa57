"""One table of images for every data set, and what can be wrong with one.

A row is an image; "rows" elsewhere in the library are integer positions in this table. Training labels are
y = rank of the identity among the sorted training identities (PROTOCOLS: published code enumerates a Python set).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

COLUMNS = ("path", "identity", "camera", "modality", "split")
VISIBLE, INFRARED = "visible", "infrared"
MODALITIES = (VISIBLE, INFRARED)
SPLITS = ("train", "val", "test")

# Kinds of problem after which there is nothing left to work with, however lenient the reader.
MISSING_ROOT = "missing data set"
MISSING_INDEX = "missing index file"
NO_TRAINING = "nothing to train on"
NO_TEST = "nothing to test on"
NO_MATCH = "no match in the test set"
FATAL = frozenset({MISSING_ROOT, MISSING_INDEX, NO_TRAINING, NO_TEST, NO_MATCH})

SHOWN = 50  # problems written out in full; more would scroll the summary off the screen


@dataclass(frozen=True)
class Problem:
    """A broken thing: where it is, what was found there and how to mend it. `kind` is the heading it is counted under."""

    path: str
    line: int | None
    found: str
    mend: str
    kind: str = ""

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.found} — {self.mend}"


class DatasetError(Exception):
    """Everything that is wrong with a data set, at once: counts by kind, then the problems one a line."""

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
        return "\n".join(lines).encode("utf-8", "backslashreplace").decode()  # a folder may have a name that is no text


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as it lies on disk. `problems` are the broken things that were left out of `records`."""

    name: str
    layout: str
    root: Path
    records: pd.DataFrame = field(repr=False)
    problems: tuple[Problem, ...] = ()
    trial: int = 1


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
    """Rank of each identity among the distinct identities in ascending order: (N,) int64 in 0 … C - 1."""
    return np.unique(np.asarray(identities, dtype=np.int64), return_inverse=True)[1].astype(np.int64)


def held_out_number(identities: int) -> int:
    """How many of so many training identities are held out: a tenth, but fifty where that is at most a fifth; at least two."""
    return max(2, min(max(50, round(identities / 10)), identities // 5))


def hold_out(records: pd.DataFrame, seed: int, families: Mapping[int, int] | None = None) -> pd.DataFrame:
    """Copy in which split "val" marks the training identities held out of training.

    A data set's own validation identities are kept as they are; elsewhere `held_out_number` of them are drawn by PCG64(seed).
    families: training identity → family; whoever looks nearly the same stays on one side, which may hold out one person more.
    Raises ValueError where fewer than two identities would be left to train on.
    """
    records = records.copy()
    if (records["split"] == "val").any():
        return records
    training = records["split"] == "train"
    identities = np.unique(records.loc[training, "identity"])
    number = held_out_number(len(identities))
    if len(identities) - number < 2:
        raise ValueError(
            f"holding {number} of {len(identities)} training identities out leaves fewer than two to train on; "
            "use a larger data set, or select_on=last, which holds nobody out"
        )
    family = np.array([families.get(identity, -1 - identity) for identity in identities.tolist()]) if families else identities
    names, sizes = np.unique(family, return_counts=True)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(names))
    chosen = names[order[: 1 + np.searchsorted(np.cumsum(sizes[order]), number)]]
    held = identities[np.isin(family, chosen)]
    records.loc[training & records["identity"].isin(held), "split"] = "val"
    return records


def seen_by_both(records: pd.DataFrame) -> pd.Index:
    """Identities, ascending, of which these records hold images in both modalities."""
    modalities = records.groupby("identity")["modality"].nunique()
    return modalities.index[modalities == len(MODALITIES)]


def lonely_identities(records: pd.DataFrame) -> np.ndarray:
    """Training identities, ascending int64, that have images in one modality only."""
    training = records.iloc[select(records, ("train", "val"))]
    modalities = training.groupby("identity")["modality"].nunique()
    return modalities.index[modalities < 2].to_numpy(dtype=np.int64)


def check_records(records: pd.DataFrame, index: str = "the training index", test_index: str = "the test index") -> list[Problem]:
    """What makes a table useless for learning or testing across modalities; the indexes name the files that list people."""
    problems = []
    training = records.iloc[select(records, ("train", "val"))]
    test = records.iloc[select(records, "test")]

    absent = [modality for modality in MODALITIES if modality not in training["modality"].unique()]
    for modality in absent:
        mend = "training needs images of both modalities of the same identities"
        problems.append(Problem(index, None, f"no {modality} training image", mend, NO_TRAINING))
    if not absent:
        problems += [_lonely(training[training["identity"] == who], index) for who in lonely_identities(records)]

    absent = [modality for modality in MODALITIES if modality not in test["modality"].unique()]
    for modality in absent:
        mend = "retrieval needs images of both modalities; restore the test images"
        problems.append(Problem(test_index, None, f"no {modality} test image", mend, NO_TEST))
    if not absent:
        visible, infrared = (set(test.loc[test["modality"] == modality, "identity"]) for modality in MODALITIES)
        if not visible & infrared:
            found = f"none of {len(infrared)} infrared test identities is among the {len(visible)} visible ones"
            mend = "no query would have a match; check the identities of the test set"
            problems.append(Problem(test_index, None, found, mend, NO_MATCH))
    return problems


def _lonely(images: pd.DataFrame, index: str) -> Problem:
    identity, present = images["identity"].iloc[0], images["modality"].iloc[0]
    absent = INFRARED if present == VISIBLE else VISIBLE
    folder = str(PurePosixPath(images["path"].iloc[0]).parent)
    found = f"training identity {identity} has {len(images)} {present} image(s) and no {absent} one"
    return Problem(folder, None, found, f"restore its {absent} images or take it out of {index}", "one modality only")


def counts(records: pd.DataFrame) -> pd.DataFrame:
    """Images and identities by split, modality and camera, in that order: what is really on disk."""
    keys = ["split", "modality", "camera"]
    found = records.groupby(keys)["identity"].agg(images="size", identities="nunique").reset_index()
    order = [found["split"].map(SPLITS.index), found["modality"].map(MODALITIES.index), found["camera"]]
    return found.iloc[np.lexsort(order[::-1])].reset_index(drop=True)
