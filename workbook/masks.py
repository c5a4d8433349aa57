"""Masks of synthetic images: corpus.json determines every pixel, so masks can be redrawn at any time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fsclib.analysis.attention.shares import KINDS
from fsclib.config.strict import shown
from fsclib.system.errors import FsclibError
from fsclib.system.reading import read_json
from synthpeople.corpus import Corpus
from synthpeople.drawing import DRAWING, PARTS
from synthpeople.generate import MARK

OTHERS = {"background": "background", "bag": "bag", "obstacle": "in front", "other person": "in front"}
KIND_OF = np.array([KINDS.index(OTHERS.get(part, "body")) for part in PARTS], np.uint8)  # part → kind, both as indices


class MaskError(FsclibError, ValueError):
    """Images whose masks cannot be redrawn; the message says why."""


def part_masks(root: Path, paths: Sequence[str]) -> np.ndarray:
    """Masks of images of the corpus in `root`, by their paths in it: uint8 (N, H, W) in the corpus's own size, indices into PARTS.

    Takes about ten milliseconds per image. Errors: MaskError for a folder that is not a synthetic corpus (a real data set, for
    example), for a corpus drawn by another version, and for images that are not part of the corpus.
    """
    corpus = read_corpus(root)
    shots = {shot.path: shot for shot in corpus.plan().shots}
    if unknown := [path for path in paths if path not in shots]:
        found = f"found {len(unknown)} images, such as {unknown[0]}, that its {MARK} does not describe"
        raise MaskError(f"{root}: {found}; expected images of this corpus only; remove the others")
    return np.stack([corpus.drawn(shots[path]).parts for path in paths])


def kind_masks(root: Path, paths: Sequence[str]) -> np.ndarray:
    """Same as `part_masks`, with indices into analysis.attention.shares.KINDS."""
    return KIND_OF[part_masks(root, paths)]


def read_corpus(root: Path) -> Corpus:
    """Reads the parameters of a corpus on disk. Errors: MaskError, as in `part_masks`."""
    if not (root / MARK).exists():
        raise MaskError(f"{root} has no {MARK}: masks exist for synthetic people only; expected a corpus written by synthpeople")
    try:
        found = read_json(root / MARK)
        if not isinstance(found, dict):
            raise ValueError(f"found {shown(found)}, expected a table")
    except (OSError, ValueError) as error:
        raise MaskError(f"{root / MARK}: cannot be read ({error}); write the corpus again") from error
    if found.get("drawing") != DRAWING:
        raise MaskError(
            f"{root / MARK}: found drawing {shown(found.get('drawing'))}, expected {DRAWING}: another version drew these "
            "images, so masks of this version would not fit; write the corpus again"
        )
    if found.get("layout") == "regdb":
        found.pop("train_share", None)  # stored for RegDB, but not accepted as an argument
    try:
        return Corpus(**found)
    except (TypeError, ValueError) as error:
        raise MaskError(f"{root / MARK}: does not describe a corpus ({error}); write the corpus again") from error
