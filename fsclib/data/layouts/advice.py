"""What to do about a data set that is not where it should be: still packed, one folder further down, spelled otherwise, moved."""

import os
import shlex
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from fsclib.config.specs import DatasetSpec

RESTORE = "restore it from the data set's archive"
RENAME = "rename it: this disk distinguishes upper and lower case"
MOVED = "If it has moved, pass -p data_root FOLDER to the notebook, --data-root FOLDER to a command, or data_root=FOLDER in Python"
PACKED = (".zip", ".rar", ".7z", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
ARRAYS = tuple(f"train_{modality}_resized_{part}.npy" for modality in ("rgb", "ir") for part in ("img", "label"))
LEVELS, MOST = 2, 2000  # how far down another folder is looked for, and among how many


def obtain(spec: DatasetSpec, tree: str, root: Path) -> str:
    """How to get a data set that is missing in `root`. tree: what the folder should contain."""
    contains = f"so that the folder contains {tree}"
    if present := _in_another_form(root):
        return f"{present}, {contains}"
    if not spec.owner:
        return f"put the data set there, {contains}"
    stand_in = root.with_name("synthetic-" + spec.layout)
    return (
        f"{spec.title} is available from {spec.owner} on a signed request to its owners; unpack it there, {contains}. "
        f"Synthetic substitute: python -m synthpeople --layout {spec.layout} --out {shlex.quote(str(stand_in))}, then pass "
        f"-p data_root {shlex.quote(str(stand_in))} -p scale tiny to the notebooks"
    )


def find(spec: DatasetSpec, tree: str, root: Path) -> str:
    """How to find or get a data set whose folder does not exist."""
    if root.name.lower().endswith(PACKED):
        return f"unpack it, and pass -p data_root with the folder that contains {tree}"
    if other := spelled_otherwise(root.parent, root.name):
        return f"{other} exists: rename it to {root.name}, or {passing(root.with_name(other))}"
    return f"{obtain(spec, tree, root)}. {MOVED}"


def restore(root: Path) -> str:
    """How to restore a part of the data set that is missing."""
    return _in_another_form(root) or RESTORE


def passing(folder: Path) -> str:
    """How to use another folder."""
    return f"pass -p data_root {shlex.quote(str(folder))}"


def inner_folder(root: Path, indexes: Sequence[str]) -> Path | None:
    """The folder at most two levels below `root` that contains all index files, if an archive held another one; else None."""
    for level in range(1, LEVELS + 1):
        for folder in sorted(islice(root.glob("/".join("*" * level)), MOST)):
            if all(os.path.isfile(folder / index) for index in indexes):  # noqa: PTH113 -- Path.is_file may raise
                return folder
    return None


def spelled_otherwise(root: Path, path: str) -> str:
    """The file or folder that differs from a missing one, `path` in `root`, only in upper and lower case; "" if there is none."""
    found: list[str] = []
    for part in path.split("/"):
        names = _names(root.joinpath(*found))
        if part not in names:
            part = next((name for name in names if name.casefold() == part.casefold()), "")
        if not part:
            return ""
        found.append(part)
    other = "/".join(found)
    return other if other != path else ""


def _in_another_form(root: Path) -> str:
    """What to do with archives, or with arrays of the published programs, that are there in place of the images; "" without any."""
    name = root.name.casefold()
    archives = [file for file in _names(root) if file.lower().endswith(PACKED)]
    archives += [str(root.with_name(file)) for file in _names(root.parent) if _is_archive_of(file.casefold(), name)]
    if archives:
        more = f" and {len(archives) - 3} more" if len(archives) > 3 else ""
        return f"still packed: unpack {', '.join(archives[:3])}{more} into {root}"
    if arrays := [file for file in ARRAYS if file in _names(root)]:
        written = f"{arrays[0]} holds resized training images only, as pre_process_sysu.py of the published programs writes them"
        return f"{written}: put the original images there"
    return ""


def _is_archive_of(file: str, name: str) -> bool:
    return bool(name) and file.startswith(name) and file.endswith(PACKED)


def _names(folder: Path) -> list[str]:
    """Sorted names in a folder; none if it cannot be listed."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []
