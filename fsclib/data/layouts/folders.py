"""Lists the images in the folders of cameras, with a subfolder for each identity, and names everything that is passed over.

As in listing, no image is decoded and nothing raises: each function appends Problems, some HARMLESS, to the list it is given.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from fsclib.data.layouts.advice import RESTORE
from fsclib.data.layouts.listing import READABLE, complaint
from fsclib.data.pixels.decoding import EXTENSIONS
from fsclib.data.records import EMPTY_FOLDER, HARMLESS, MISNAMED, PASSED_OVER, Problem
from fsclib.system.paths import is_hidden

OTHER_IMAGES = (
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".jfif", ".tga", ".psd", ".exr", ".hdr", ".ico", ".svg"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".raw", ".dng", ".cr2", ".nef", ".arw", ".npy", ".npz", ".mat", ".fff", ".seq"),
)


class Camera(NamedTuple):
    """The images of each listed identity that a camera has seen, and the identities whose folder needs another name."""

    images: dict[int, list[str]]
    misnamed: set[int]


def camera_images(
    root: Path, folder: str, identities: Collection[int], problems: list[Problem], may_be_empty: bool = False
) -> Camera:
    """The images in the folder of a camera, which has a subfolder {ID:04d} for each identity.

    Subfolders are listed once: asking the disk for each of a hundred thousand missing ones would take too long.
    """
    before = len(problems)
    wanted = {f"{identity:04d}": identity for identity in identities}
    try:
        with os.scandir(f"{root}/{folder}") as entries:
            found = {entry.name: entry for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return Camera({}, set())
    except OSError:
        found, present = {}, set(wanted)  # a folder that cannot be listed may still be entered
    else:
        present = found.keys() & wanted.keys()
    images = {wanted[name]: folder_images(root, f"{folder}/{name}", problems) for name in sorted(present)}
    others = [found[name] for name in sorted(found.keys() - present) if not is_hidden(name)]
    short = {entry.name: f"{int(entry.name):04d}" for entry in others if _is_number(entry.name) and _is_folder(entry)}
    short = {name: full for name, full in short.items() if full in wanted}
    if short:
        name, full = next(iter(short.items()))
        number = f"{len(short)} folders of identities have" if len(short) > 1 else "the folder of an identity has"
        told = f"{number} other than four digits: found {name}, expected {full}"
        problems.append(Problem(folder, None, told, "rename folders to four digits, with leading zeros", MISNAMED))
    problems += [_loose(folder, entry) for entry in others if not _is_number(entry.name)]
    quiet = all(problem.kind in HARMLESS for problem in problems[before:])
    if identities and quiet and not may_be_empty and not any(images.values()):
        told = f"no image of any of the {len(identities)} listed identities"
        problems.append(Problem(folder, None, told, f"{RESTORE}: unpacking it was probably interrupted", "camera without images"))
    return Camera(images, {wanted[full] for full in short.values()})


def folder_images(root: Path, folder: str, problems: list[Problem]) -> list[str]:
    """Sorted paths, relative to root, of the images in a folder; none if the folder does not exist."""
    images = []
    try:
        with os.scandir(f"{root}/{folder}") as found:
            entries = sorted((entry for entry in found if not is_hidden(entry.name)), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(Problem(folder, None, f"cannot be listed: {error.strerror}", READABLE, "unreadable folder"))
        return []
    for entry in entries:
        name = entry.name
        if not name.lower().endswith(EXTENSIONS):
            problems.append(_no_image(folder, entry))
        elif not name.isprintable() and _undecodable(name):
            told = f"file name {os.fsencode(name)!r} is not UTF-8"
            problems.append(Problem(folder, None, told, "rename the file", "unreadable name"))
        elif wrong := complaint(entry):
            problems.append(Problem(f"{folder}/{name}", None, wrong[1], RESTORE, wrong[0]))
        else:
            images.append(f"{folder}/{name}")
    if not entries:
        fix = "nothing to do if this camera has not seen the identity; else restore it from the data set's archive"
        problems.append(Problem(folder, None, "an empty folder", fix, EMPTY_FOLDER))
    return images


def _no_image(folder: str, entry: os.DirEntry) -> Problem:
    """A file in the folder of an identity that is not read."""
    if entry.name.lower().endswith(OTHER_IMAGES):
        told = f"images of this format are not read, expected {', '.join(EXTENSIONS)}"
        return Problem(_place(folder, entry), None, told, "convert it to PNG or JPEG", "unread image format")
    return _passed_over(folder, entry, "not an image")


def _loose(folder: str, entry: os.DirEntry) -> Problem:
    """A file or folder in the folder of a camera that is not the folder of an identity."""
    if entry.name.lower().endswith(EXTENSIONS + OTHER_IMAGES):
        return _passed_over(folder, entry, "outside the folders of the identities", "move it into the folder of its identity")
    return _passed_over(folder, entry, "not the folder of an identity")


def _passed_over(folder: str, entry: os.DirEntry, told: str, fix: str = "") -> Problem:
    fix = fix or ("move its images out if they belong to the data set" if _is_folder(entry) else "remove it, or ignore this")
    return Problem(_place(folder, entry), None, told, fix, PASSED_OVER)


def _place(folder: str, entry: os.DirEntry) -> str:
    return f"{folder}/{entry.name.encode('utf-8', 'backslashreplace').decode()}"


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _undecodable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
