"""Corruptions of files: pictures that cannot be decoded or only just, and what is no file at all; their names."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from entering import Corruption, Entries, Spoil
from pictures import BROKEN, SAME
from PIL import Image
from spoiling import SIZE, Corpus

from fsclib.data.pixels.decoding import LARGEST

FILES = Entries()
FOLDERS = ("sysu", "llcm")  # layouts that list a folder


def _encoded(make: Callable) -> Spoil:
    def spoil(corpus: Corpus) -> None:
        path = corpus.image()
        data, picture, difference = make(Image.fromarray(corpus.sound.pixels[path]))
        corpus.write(path, data)
        corpus.pixels[path] = np.asarray(picture.resize(SIZE[::-1], Image.Resampling.LANCZOS)), difference

    return spoil


def _unreadable(make: Callable, words: str) -> Spoil:
    def spoil(corpus: Corpus) -> None:
        path = corpus.image()
        corpus.write(path, make(Image.fromarray(corpus.sound.pixels[path])))
        corpus.report("broken image", path)
        corpus.words[path] = words

    return spoil


FILES += [Corruption(name, _encoded(make), decoding=True) for name, make in SAME.items()]
FILES += [Corruption(name, _unreadable(*how), decoding=True) for name, how in BROKEN.items()]

# --- files -----------------------------------------------------------------------------------------------------------


@FILES.enter("file of 256 MB that holds nothing")
def _sparse(corpus):
    path = corpus.image()
    corpus.write(path, b"")
    os.truncate(corpus.root / path, LARGEST + 1)
    corpus.report("broken image", path)
    corpus.words[path] = "expected at most"


@FILES.enter("file that is not there")
def _absent(corpus):
    path = corpus.image()
    (corpus.root / path).unlink()
    corpus.gone.add(path)
    if corpus.is_listed(path):
        corpus.report_missing(path)


INSTEAD: dict[str, Callable[[Path], object]] = {
    "dangling link": lambda file: file.symlink_to("gone.jpg"),
    "link to itself": lambda file: file.symlink_to(file.name),
    "link to a device": lambda file: file.symlink_to("/dev/zero"),
    "folder with the name of an image": lambda file: file.mkdir(),
    "pipe with the name of an image": os.mkfifo,
    "empty file": lambda file: file.touch(),
}


def _instead(make: Callable[[Path], object], kind: str) -> Spoil:
    def spoil(corpus: Corpus) -> None:
        path = corpus.image()
        (corpus.root / path).unlink()
        make(corpus.root / path)
        corpus.report_missing(path, kind)

    return spoil


for _name, _make in INSTEAD.items():
    FILES.enter(_name)(_instead(_make, "empty image" if _name == "empty file" else "missing image"))


@FILES.enter("link to a file elsewhere")
def _linked(corpus):
    path = corpus.image()
    outside = corpus.move_away(path)
    (corpus.root / path).symlink_to(outside)


NAMES: dict[str, Callable[[str], str]] = {
    "name with spaces": lambda name: f" a  b {name}",
    "name in other letters": lambda name: f"人 \u2028é{name}",
    "name of 255 letters": lambda name: "x" * (255 - len(name)) + name,
    "extension in capitals": lambda name: name.replace(".jpg", ".JPG").replace(".bmp", ".BMP"),
}


def _named(change: Callable[[str], str]) -> Spoil:
    def spoil(corpus: Corpus) -> None:
        folder, _, name = (path := corpus.image()).rpartition("/")
        corpus.rename(path, f"{folder}/{change(name)}")

    return spoil


for _name, _change in NAMES.items():
    FILES.enter(_name)(_named(_change))
FILES.enter("name with a line end", *FOLDERS)(
    lambda corpus: corpus.rename(path := corpus.image(folder=True), path[:-4] + "\n" + path[-4:])
)


@FILES.enter("file name that is not UTF-8", *FOLDERS)
def _undecodable_name(corpus):
    path = corpus.image(folder=True)
    file = corpus.root / path
    file.rename(file.with_name(os.fsdecode(b"caf\xe9.jpg")))
    corpus.gone.add(path)
    corpus.report("unreadable name", path.rpartition("/")[0])
