"""One's own images in folders: visible/<id>/… and infrared/<id>/…, or train/visible/<id>/… and test/visible/<id>/… and so on.

Within the folder of a person, images lie side by side, or in one folder for each camera.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from fsclib.data.layouts.folders import folder_images
from fsclib.data.layouts.words import MODALITY_WORDS, SPLIT_WORDS
from fsclib.data.records import MISSING_ROOT, PASSED_OVER, Problem
from fsclib.system.paths import is_hidden

TREE = "visible/<id>/ and infrared/<id>/ with images of each person, or these below train/ and test/"


def read(root: Path, problems: list[Problem]) -> list[tuple[str, str, str, str, str, str]]:
    """(path, identity, camera, modality, split, group) of each image; camera and split are "" where no folder tells them."""
    there = _folders(root, "", problems)
    splits = {folder: SPLIT_WORDS[folder.lower()] for folder in there if folder.lower() in SPLIT_WORDS}
    rows = []
    for place, split in splits.items() or [("", "")]:
        for folder in _folders(root, place, problems):
            if modality := MODALITY_WORDS.get(folder.lower(), ""):
                images = _images(root, f"{place}/{folder}" if place else folder, problems)
                rows += [(*image, modality, split, "") for image in images]
    if not rows and not problems:
        found = f"found {', '.join(there[:5]) or 'no folders'}{' …' * (len(there) > 5)}"
        problems.append(Problem(str(root), None, found, f"expected {TREE}", MISSING_ROOT))
    return rows


def _images(root: Path, folder: str, problems: list[Problem]) -> Iterator[tuple[str, str, str]]:
    """(path, identity, camera) of the images of one modality."""
    for identity in _folders(root, folder, problems):
        own = f"{folder}/{identity}"
        cameras, noted = _folders(root, own, problems), list[Problem]()
        yield from ((path, identity, "") for path in folder_images(root, own, noted))
        known = {f"{own}/{camera}" for camera in cameras}  # which are no images, but are read next
        problems += [problem for problem in noted if problem.kind != PASSED_OVER or problem.path not in known]
        for camera in cameras:
            yield from ((path, identity, camera) for path in folder_images(root, f"{own}/{camera}", problems))


def _folders(root: Path, folder: str, problems: list[Problem]) -> list[str]:
    """Names of the folders in a folder, sorted, without hidden ones."""
    try:
        with os.scandir(root / folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not is_hidden(entry.name))
    except OSError as error:
        found = f"cannot be listed: {error.strerror}"
        problems.append(Problem(folder or str(root), None, found, f"give a folder with {TREE}", MISSING_ROOT))
        return []
