"""Links in a data set that lead out of its folder: they are followed, since images may be on several disks, and logged."""

import functools
import logging
import os
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger(__name__)


def remark(root: Path, paths: Iterable[str]) -> None:
    """Logs, once, how many links among the images `paths` and their folders lead out of the data set's folder, and the first."""
    if found := leading_out(root, paths):
        _remark(root, len(found), found[0])


def leading_out(root: Path, paths: Iterable[str]) -> list[str]:
    """The images `paths` in `root`, and folders above them, that are links to places outside `root`, sorted."""
    places = set(paths)
    folders = {path.rpartition("/")[0] for path in places}
    while folders:
        places |= folders
        folders = {folder.rpartition("/")[0] for folder in folders} - places
    home = os.path.join(os.path.realpath(root), "")  # noqa: PTH118 -- Path objects would take as long as listing the images
    found = (place for place in places if place and os.path.islink(f"{root}/{place}"))  # noqa: PTH114
    return sorted(place for place in found if not f"{os.path.realpath(f'{root}/{place}')}/".startswith(home))


@functools.cache
def _remark(root: Path, number: int, first: str) -> None:
    target = os.path.realpath(root / first)
    many = f"{number} links lead" if number > 1 else "a link leads"
    logger.warning(f"{root}: {many} out of this folder, such as {first!r} to {target!r}; the images there are used")
