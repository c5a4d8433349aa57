"""Corruptions of single images: their encoding, what lies at their path, and their file names."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from entering import Apply, Corruption, Registry
from pictures import BROKEN, VALID
from PIL import Image
from spoiling import SIZE, Corpus

from fsclib.data.pixels.decoding import LARGEST

FILES = Registry()
FOLDERS = ("sysu", "llcm")  # layouts that list the images of folders


def _encoded(make: Callable) -> Apply:
    def apply(corpus: Corpus) -> None:
        path = corpus.image()
        data, picture, difference = make(Image.fromarray(corpus.intact.pixels[path]))
        corpus.write(path, data)
        corpus.pixels[path] = np.asarray(picture.resize(SIZE[::-1], Image.Resampling.LANCZOS)), difference

    return apply


def _unreadable(make: Callable, words: str) -> Apply:
    def apply(corpus: Corpus) -> None:
        path = corpus.image()
        corpus.write(path, make(Image.fromarray(corpus.intact.pixels[path])))
        corpus.report("broken image", path)
        corpus.words[path] = words

    return apply


FILES += [Corruption(name, _encoded(make), decoding=True) for name, make in VALID.items()]
FILES += [Corruption(name, _unreadable(*how), decoding=True) for name, how in BROKEN.items()]

# --- files -----------------------------------------------------------------------------------------------------------


@FILES.register("sparse file above the size limit")
def _sparse(corpus):
    path = corpus.image()
    corpus.write(path, b"")
    os.truncate(corpus.root / path, LARGEST + 1)
    corpus.report("broken image", path)
    corpus.words[path] = "expected at most"


@FILES.register("missing file")
def _absent(corpus):
    path = corpus.image()
    (corpus.root / path).unlink()
    corpus.gone.add(path)
    if corpus.is_listed(path):
        corpus.report_missing(path)


REPLACEMENTS: dict[str, Callable[[Path], object]] = {
    "dangling link": lambda file: file.symlink_to("gone.jpg"),
    "link to itself": lambda file: file.symlink_to(file.name),
    "link to a device": lambda file: file.symlink_to("/dev/zero"),
    "folder with the name of an image": lambda file: file.mkdir(),
    "pipe with the name of an image": os.mkfifo,
    "empty file": lambda file: file.touch(),
}


def _replaced(make: Callable[[Path], object], kind: str) -> Apply:
    def apply(corpus: Corpus) -> None:
        path = corpus.image()
        (corpus.root / path).unlink()
        make(corpus.root / path)
        corpus.report_missing(path, kind)

    return apply


for _name, _make in REPLACEMENTS.items():
    FILES.register(_name)(_replaced(_make, "empty image" if _name == "empty file" else "missing image"))


@FILES.register("link to a file elsewhere")
def _linked(corpus):
    path = corpus.image()
    outside = corpus.move_away(path)
    (corpus.root / path).symlink_to(outside)


NAMES: dict[str, Callable[[str], str]] = {
    "name with spaces": lambda name: f" a  b {name}",
    "name with non-ASCII characters": lambda name: f"人 \u2028é{name}",
    "name of 255 characters": lambda name: "x" * (255 - len(name)) + name,
    "upper-case extension": lambda name: name.replace(".jpg", ".JPG").replace(".bmp", ".BMP"),
}


def _renamed(change: Callable[[str], str]) -> Apply:
    def apply(corpus: Corpus) -> None:
        folder, _, name = (path := corpus.image()).rpartition("/")
        corpus.rename(path, f"{folder}/{change(name)}")

    return apply


for _name, _change in NAMES.items():
    FILES.register(_name)(_renamed(_change))
FILES.register("name with a newline", *FOLDERS)(
    lambda corpus: corpus.rename(path := corpus.image(folder=True), path[:-4] + "\n" + path[-4:])
)


@FILES.register("file name that is not UTF-8", *FOLDERS)
def _undecodable_name(corpus):
    path = corpus.image(folder=True)
    file = corpus.root / path
    file.rename(file.with_name(os.fsdecode(b"caf\xe9.jpg")))
    corpus.gone.add(path)
    corpus.report("unreadable name", path.rpartition("/")[0])
