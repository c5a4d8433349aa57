"""A corpus that corruptions are applied to, one or many, and what is to be expected of it after that."""

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
RESERVED = {"train": 2, "test": 2}  # people of whom no image is taken: for `Corpus.person`, and to be tested on in any case


@dataclass(frozen=True, eq=False)
class Sound:
    """An unspoiled corpus in a folder of its own, with its cache: its records and the pixels of each path."""

    layout: str
    root: Path
    records: pd.DataFrame
    pixels: Mapping[str, np.ndarray]


class Corpus:
    """A copy of a sound corpus. Corruptions spoil its files and note what follows.

    place     (split, modality) of which images are taken first
    problems  (kind, path, line) of what has to be reported
    words     path → what its problem has to say
    gone      sound images that no record is left of
    renamed   new path → the path that the image had
    pixels    path → (RGB pixels, the mean difference that is allowed), where they are not the sound ones
    relabel   training identity → the one it is listed under, where it is another
    """

    def __init__(self, sound: Sound, folder: Path, place: tuple[str, str] = PLACES[0]):
        """The copy shares its files with the sound corpus, and has its cache, so that only what is spoiled is decoded."""
        shutil.copytree(sound.root.parent, folder, copy_function=_share)
        self.sound, self.layout, self.place, self.root = sound, sound.layout, place, folder / sound.root.name
        self.problems: list[tuple[str, str, int | None]] = []
        self.words: dict[str, str] = {}
        self.gone: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.pixels: dict[str, tuple[np.ndarray, float]] = {}
        self.relabel: Callable[[int], int] | None = None
        self._lines = {path: (index, line) for index in self.indexes for path, line in self._listed(index)}
        self._identities = sound.records.set_index("path")["identity"]
        groups = sound.records.assign(split=sound.records["split"].replace("val", "train")).groupby(["split", "modality"])
        spare = {key: _spare(rows, RESERVED[key[0]]) for key, rows in groups}
        self._spare = list(chain(spare[place], *(images for key, images in spare.items() if key != place)))
        self._people = {split: sorted(set(rows["identity"]))[-RESERVED[split] :] for (split, _), rows in groups}

    # ------------------------------------------------------------------------------------------------- what there is

    def image(self, folder: bool = False, listed: bool = False) -> str:
        """The path of an image that no other corruption takes; folder, listed: one that is found in that way."""
        found = next(path for path in self._spare if not (folder if self.is_listed(path) else listed))
        self._spare.remove(found)
        return found

    def person(self, split: str) -> dict[str, list[str]]:
        """All images, by modality, of a person that no other corruption takes."""
        rows = self.sound.records[self.sound.records["identity"] == self._people[split].pop()]
        rows = rows[(rows["split"] == "test") == (split == "test")]
        return {modality: rows.loc[rows["modality"] == modality, "path"].tolist() for modality in MODALITIES}

    def identity(self, path: str) -> int:
        """Whom a sound image shows."""
        return int(self._identities[path])

    def is_listed(self, path: str) -> bool:
        """Whether an index file names this image, rather than the folder it lies in being listed."""
        return path in self._lines

    def at(self, path: str) -> tuple[str, int | None]:
        """Where it is told that an image is missing: at the line that lists it, or at the image itself."""
        return self._lines.get(path, (path, None))

    @property
    def index(self) -> str:
        """The index file of this place; LLCM's test images have none, and it is that of training."""
        split, modality = self.place
        if self.layout == "sysu":
            return f"exp/{split}_id.txt"
        if self.layout == "regdb":
            return f"idx/{split}_{SHORT['regdb'][modality]}_1.txt"
        return f"idx/train_{SHORT['llcm'][modality]}.txt"

    @property
    def indexes(self) -> list[str]:
        """Index files of images, a line each, in the order in which they are read; those of training first."""
        if self.layout == "regdb":
            return [f"idx/{split}_{name}_1.txt" for split in ("train", "test") for name in SHORT["regdb"].values()]
        return [f"idx/train_{name}.txt" for name in SHORT["llcm"].values()] if self.layout == "llcm" else []

    @property
    def lists(self) -> list[str]:
        """Index files of people."""
        if self.layout == "sysu":
            return [f"exp/{split}_id.txt" for split in ("train", "val", "test")]
        return ["idx/test_id.txt"] if self.layout == "llcm" else []

    @property
    def people_list(self) -> str:
        """The list of the people of this place, or the only one."""
        return self.index if self.layout == "sysu" else self.lists[0]

    def _listed(self, index: str) -> Iterable[tuple[str, int]]:
        return ((line.split()[0], number) for number, line in enumerate((self.root / index).read_text().splitlines(), 1))

    # ------------------------------------------------------------------------------------------------ what is done to it

    def write(self, path: str, content: bytes) -> None:
        """A file of its own, in place of the one that is shared."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content)

    def rename(self, old: str, new: str) -> None:
        """Give an image another path, in its index as well."""
        (self.root / old).rename(self.root / new)
        self.gone.add(old)
        self.renamed[new] = old
        if self.is_listed(old):
            self.set_line(*self.at(old), f"{new} {self.identity(old)}".encode())

    def move_away(self, path: str) -> Path:
        """Take a file or folder out of the corpus; returns where it is now."""
        outside = self.root.with_name("outside") / path
        outside.parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).rename(outside)
        return outside

    def set_line(self, index: str, number: int, text: bytes) -> None:
        """Another line in place of one of an index file of images."""
        lines = (self.root / index).read_bytes().split(b"\n")
        self.write(index, b"\n".join([*lines[: number - 1], text, *lines[number:]]))

    def append(self, index: str, text: bytes) -> int:
        """Write a line at the end of an index file; returns its number."""
        data = (self.root / index).read_bytes().rstrip(b"\n")
        self.write(index, data + b"\n" + text + b"\n")
        return data.count(b"\n") + 2

    def remove(self, paths: Iterable[str]) -> None:
        """Take images out of their index, if there is one, or out of their folder; the lines of the others stay where they are."""
        for path in paths:
            self.gone.add(path)
            if self.is_listed(path):
                self.set_line(*self.at(path), b"")
            else:
                (self.root / path).unlink()

    # ------------------------------------------------------------------------------------------------- what is expected

    def report(self, kind: str, path: str, line: int | None = None) -> None:
        """Expect a problem; an image that it names is expected to be left out."""
        self.problems.append((kind, path, line))
        self.gone.add(path)

    def report_missing(self, path: str, kind: str = "missing image") -> None:
        """Expect an image to be left out, and to be named at its line or by itself."""
        self.report(kind, *self.at(path))
        self.gone.add(path)

    def report_nothing(self, kind: str, times: int = 1) -> None:
        """Expect that there is nothing left to train on, or to test on."""
        layout = LAYOUTS[self.layout]
        index = layout.training_index if kind == NO_TRAINING else layout.retrieval_index
        self.problems += [(kind, index(1), None)] * times

    def report_if_lonely(self, identity: int) -> None:
        """Expect a training identity to be left out if it has lost all its images of a modality."""
        rows = self.sound.records
        rows = rows[(rows["identity"] == identity) & (rows["split"] != "test") & ~rows["path"].isin(self.gone)]
        if rows["modality"].nunique() == 1:
            self.report("one modality only", rows["path"].iloc[0].rpartition("/")[0])
            self.gone.update(rows["path"])

    def records(self) -> pd.DataFrame:
        """The records that are expected, by path."""
        sound = self.sound.records.set_index("path")
        moved = sound.loc[list(self.renamed.values())].set_axis(list(self.renamed))
        found = pd.concat([sound[~sound.index.isin(self.gone)], moved]).sort_index()
        if self.relabel:
            training = found["split"] == "train"
            found.loc[training, "identity"] = found.loc[training, "identity"].map(self.relabel)
        return found

    def expected_pixels(self, path: str) -> tuple[np.ndarray, float]:
        """Pixels of a record, and the mean difference that is allowed."""
        return self.pixels.get(path) or (self.sound.pixels[self.renamed.get(path, path)], 0)


def _spare(rows: pd.DataFrame, reserved: int) -> list[str]:
    """Images of another person each time; the first of each stays, so that nobody is lost."""
    people = sorted(set(rows["identity"]))[:-reserved]
    paths = [rows.loc[rows["identity"] == identity, "path"].tolist()[1:] for identity in people]
    return [images[k] for k in range(max(map(len, paths), default=0)) for images in paths if k < len(images)]


def _share(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)
