"""Notes on a data set, such as files that are passed over: nothing is broken, but they may explain why images are missing."""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

from fsclib.data.records import FAR_BELOW, Problem

logger = logging.getLogger(__name__)
NAMED = 3  # places of each kind in a message


def remark(root: Path, notes: Sequence[Problem]) -> None:
    """Logs one warning, once, with the number of notes of each kind and the first places."""
    if notes:
        _remark(f"{root}: {summary(notes)}; notebook 01_data lists all of it")


def summary(notes: Sequence[Problem]) -> str:
    """The number of notes of each kind with their first places; counts below the published ones in full."""
    parts = [f"{note.path}: {note.found}" for note in notes if note.kind == FAR_BELOW]
    places: dict[str, list[str]] = {}
    for note in notes:
        if note.kind != FAR_BELOW:
            places.setdefault(note.kind, []).append(repr(note.path))
    for kind, found in places.items():
        parts.append(f"{len(found)} × {kind} ({', '.join(found[:NAMED])}{', …' * (len(found) > NAMED)})")
    return "; ".join(parts)


@functools.cache
def _remark(message: str) -> None:
    logger.warning(message)
