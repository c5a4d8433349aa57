"""What each pixel of a synthetic image shows: corpus.json decides every pixel, so that masks can be drawn anew."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fsclib.data.corpus import Corpus
from fsclib.data.drawing import DRAWING
from fsclib.data.synthetic import MARK
from fsclib.reading import read_json
from fsclib.strict import shown


class MaskError(ValueError):
    """Images whose masks cannot be known: says why."""


def part_masks(root: Path, paths: Sequence[str]) -> np.ndarray:
    """Masks of images of the corpus in `root`, by their paths in it: uint8 (N, H, W) in the corpus's own size, indices into PARTS.

    About ten milliseconds an image. Errors: MaskError for a folder that is no synthetic corpus, as no real data set is, for a
    corpus that another version drew, and for images that are not of it.
    """
    corpus = read_corpus(root)
    shots = {shot.path: shot for shot in corpus.plan().shots}
    if strangers := [path for path in paths if path not in shots]:
        raise MaskError(f"{root}: found {len(strangers)} images, such as {strangers[0]}, of which its {MARK} knows nothing")
    return np.stack([corpus.drawn(shots[path]).parts for path in paths])


def read_corpus(root: Path) -> Corpus:
    """What decided a corpus on the disk. Errors: MaskError, as in `part_masks`."""
    if not (root / MARK).exists():
        raise MaskError(f"{root} has no {MARK}: its images are not drawn, and nobody knows which pixel shows what")
    try:
        found = read_json(root / MARK)
        if not isinstance(found, dict):
            raise ValueError(f"found {shown(found)}, expected a table")
    except (OSError, ValueError) as error:
        raise MaskError(f"{root / MARK}: cannot be read ({error}); write the corpus anew") from error
    if found.get("drawing") != DRAWING:
        raise MaskError(
            f"{root / MARK}: found drawing {shown(found.get('drawing'))}, expected {DRAWING}: another version drew these "
            "images, and this one would draw other masks; write the corpus anew"
        )
    if found.get("layout") == "regdb":
        found.pop("train_share", None)  # which a RegDB corpus has, and nobody may ask for
    try:
        return Corpus(**found)
    except (TypeError, ValueError) as error:
        raise MaskError(f"{root / MARK}: describes no corpus ({error}); write it anew") from error
