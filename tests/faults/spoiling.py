"""A corpus to which one or several corruptions are applied, with the result that is expected after them."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from fsclib.data.datasets import LAYOUTS
from fsclib.data.records import INFRARED, MODALITIES, NO_TRAINING, VISIBLE

SIZE = (64, 24)
PLACES = (("train", VISIBLE), ("test", INFRARED), ("train", INFRARED), ("test", VISIBLE))
SHORT = {"regdb": {VISIBLE: "visible", INFRARED: "thermal"}, "llcm": {VISIBLE: "vis", INFRARED: "nir"}}
RESERVED = {"train": 2, "test": 2}  # people whose images `Corpus.image` never takes: for `Corpus.person`, and for the test


@dataclass(frozen=True, eq=False)
class IntactCorpus:
    """A corpus without faults, in a folder of its own beside its cache: its records and the pixels of each path."""

    layout: str
    root: Path
    records: pd.DataFrame
    pixels: Mapping[str, np.ndarray]


class Corpus:
    """A copy of an intact corpus. Corruptions change its files and record what to expect.

    place     (split, modality) whose images are taken first
    problems  (kind, path, line) of each problem to be reported
    words     path → text that its problem must contain
    gone      images of the intact corpus that have no record any more
    renamed   new path → old path of an image
    pixels    path → (RGB pixels, allowed mean difference), where they are not those of the intact corpus
    relabel   training identity → the identity it is listed under, if they differ
    """

    def __init__(self, intact: IntactCorpus, folder: Path, place: tuple[str, str] = PLACES[0]):
        """The copy shares the files of the intact corpus and of its cache, so that only changed images are decoded."""
        shutil.copytree(intact.root.parent, folder, copy_function=_share)
        self.intact, self.layout, self.place, self.root = intact, intact.layout, place, folder / intact.root.name
        self.problems: list[tuple[str, str, int | None]] = []
        self.words: dict[str, str] = {}
        self.gone: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.pixels: dict[str, tuple[np.ndarray, float]] = {}
        self.relabel: Callable[[int], int] | None = None
        self._lines = {path: (index, line) for index in self.indexes for path, line in self._listed(index)}
        self._identities = intact.records.set_index("path")["identity"]
        groups = intact.records.assign(split=intact.records["split"].replace("val", "train")).groupby(["split", "modality"])
        spare = {key: _spare(rows, RESERVED[key[0]]) for key, rows in groups}
        self._spare = list(chain(spare[place], *(images for key, images in spare.items() if key != place)))
        self._people = {split: sorted(set(rows["identity"]))[-RESERVED[split] :] for (split, _), rows in groups}

    # ------------------------------------------------------------------------------------------------------ contents

    def image(self, folder: bool = False, listed: bool = False) -> str:
        """The path of an image that no other corruption takes. folder: not listed in an index; listed: listed in one."""
        found = next(path for path in self._spare if not (folder if self.is_listed(path) else listed))
        self._spare.remove(found)
        return found

    def person(self, split: str) -> dict[str, list[str]]:
        """All images, by modality, of a person that no other corruption takes."""
        rows = self.intact.records[self.intact.records["identity"] == self._people[split].pop()]
        rows = rows[(rows["split"] == "test") == (split == "test")]
        return {modality: rows.loc[rows["modality"] == modality, "path"].tolist() for modality in MODALITIES}

    def identity(self, path: str) -> int:
        """The identity of an image of the intact corpus."""
        return int(self._identities[path])

    def is_listed(self, path: str) -> bool:
        """Whether an index file lists this image; others are found by listing their folder."""
        return path in self._lines

    def at(self, path: str) -> tuple[str, int | None]:
        """Where a missing image is reported: at the line that lists it, or at the image itself."""
        return self._lines.get(path, (path, None))

    @property
    def index(self) -> str:
        """The index file of this place; for LLCM's test images, which have none, that of training."""
        split, modality = self.place
        if self.layout == "sysu":
            return f"exp/{split}_id.txt"
        if self.layout == "regdb":
            return f"idx/{split}_{SHORT['regdb'][modality]}_1.txt"
        return f"idx/train_{SHORT['llcm'][modality]}.txt"

    @property
    def indexes(self) -> list[str]:
        """Index files with one image per line, in the order in which they are read: those of training first."""
        if self.layout == "regdb":
            return [f"idx/{split}_{name}_1.txt" for split in ("train", "test") for name in SHORT["regdb"].values()]
        return [f"idx/train_{name}.txt" for name in SHORT["llcm"].values()] if self.layout == "llcm" else []

    @property
    def lists(self) -> list[str]:
        """Index files that list people."""
        if self.layout == "sysu":
            return [f"exp/{split}_id.txt" for split in ("train", "val", "test")]
        return ["idx/test_id.txt"] if self.layout == "llcm" else []

    @property
    def people_list(self) -> str:
        """The list of the people of this place, or the only one."""
        return self.index if self.layout == "sysu" else self.lists[0]

    def _listed(self, index: str) -> Iterable[tuple[str, int]]:
        return ((line.split()[0], number) for number, line in enumerate((self.root / index).read_text().splitlines(), 1))

    # ----------------------------------------------------------------------------------------------------------- changes

    def write(self, path: str, content: bytes) -> None:
        """Writes a file, replacing the one shared with the intact corpus."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content)

    def rename(self, old: str, new: str) -> None:
        """Renames an image, in its index as well."""
        (self.root / old).rename(self.root / new)
        self.gone.add(old)
        self.renamed[new] = old
        if self.is_listed(old):
            self.set_line(*self.at(old), f"{new} {self.identity(old)}".encode())

    def move_away(self, path: str) -> Path:
        """Moves a file or folder out of the corpus; returns its new path."""
        outside = self.root.with_name("outside") / path
        outside.parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).rename(outside)
        return outside

    def set_line(self, index: str, number: int, text: bytes) -> None:
        """Replaces a line of an index file."""
        lines = (self.root / index).read_bytes().split(b"\n")
        self.write(index, b"\n".join([*lines[: number - 1], text, *lines[number:]]))

    def append(self, index: str, text: bytes) -> int:
        """Appends a line to an index file; returns its number."""
        data = (self.root / index).read_bytes().rstrip(b"\n")
        self.write(index, data + b"\n" + text + b"\n")
        return data.count(b"\n") + 2

    def remove(self, paths: Iterable[str]) -> None:
        """Removes images from their index, or from their folder if no index lists them; other lines keep their numbers."""
        for path in paths:
            self.gone.add(path)
            if self.is_listed(path):
                self.set_line(*self.at(path), b"")
            else:
                (self.root / path).unlink()

    # -------------------------------------------------------------------------------------------------- expected result

    def report(self, kind: str, path: str, line: int | None = None) -> None:
        """Expects a problem, and no record of an image that it names."""
        self.problems.append((kind, path, line))
        self.gone.add(path)

    def report_missing(self, path: str, kind: str = "missing image") -> None:
        """Expects an image to be left out and reported, at its line if it is listed."""
        self.report(kind, *self.at(path))
        self.gone.add(path)

    def report_empty(self, kind: str, times: int = 1) -> None:
        """Expects that nothing is left to train on, or to test on."""
        layout = LAYOUTS[self.layout]
        index = layout.training_index if kind == NO_TRAINING else layout.retrieval_index
        self.problems += [(kind, index(1), None)] * times

    def report_if_one_modality(self, identity: int) -> None:
        """Expects a training identity to be left out if it has lost all its images in one modality."""
        rows = self.intact.records
        rows = rows[(rows["identity"] == identity) & (rows["split"] != "test") & ~rows["path"].isin(self.gone)]
        if rows["modality"].nunique() == 1:
            self.report("one modality only", rows["path"].iloc[0].rpartition("/")[0])
            self.gone.update(rows["path"])

    def records(self) -> pd.DataFrame:
        """The expected records, indexed by path."""
        intact = self.intact.records.set_index("path")
        moved = intact.loc[list(self.renamed.values())].set_axis(list(self.renamed))
        found = pd.concat([intact[~intact.index.isin(self.gone)], moved]).sort_index()
        if self.relabel:
            training = found["split"] == "train"
            found.loc[training, "identity"] = found.loc[training, "identity"].map(self.relabel)
        return found

    def expected_pixels(self, path: str) -> tuple[np.ndarray, float]:
        """The expected pixels of a record, and the allowed mean difference."""
        return self.pixels.get(path) or (self.intact.pixels[self.renamed.get(path, path)], 0)


def _spare(rows: pd.DataFrame, reserved: int) -> list[str]:
    """Images that may be taken, alternating between people; the first image of each is kept, so that no person disappears."""
    people = sorted(set(rows["identity"]))[:-reserved]
    paths = [rows.loc[rows["identity"] == identity, "path"].tolist()[1:] for identity in people]
    return [images[k] for k in range(max(map(len, paths), default=0)) for images in paths if k < len(images)]


def _share(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)
