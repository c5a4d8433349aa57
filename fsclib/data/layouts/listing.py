"""Reads index files and folders of images, which all layouts share, and collects the problems found.

No image is decoded here, and broken entries do not raise: each function appends Problems to the list it is given, and returns
the valid entries. Paths are strings instead of Path objects, because a data set has tens of thousands of entries.
"""

import os
import posixpath
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fsclib.config.specs import DatasetSpec
from fsclib.data.records import MISSING_INDEX, MISSING_ROOT, Problem
from fsclib.system.reading import LARGEST, read_bytes

EXTENSIONS = (".jpg", ".jpeg", ".bmp", ".png")
LARGEST_LIST = 1 << 20  # bytes of a list of identities, enough for a hundred thousand
RESTORE = "restore it from the data set's archive"
READABLE = f"{RESTORE}, or make it readable"
WRITE = "write `relative/path label`, or remove the line"
EMPTY = "empty image"


def existing(root: Path, indexes: Sequence[str], problems: list[Problem], spec: DatasetSpec, tree: str) -> list[str]:
    """The index files that exist, none without the root folder; problems name missing ones. tree: what the folder contains."""
    if found := _no_folder(str(root)):
        problems.append(Problem(str(root), None, found, _obtain(spec, tree, root), MISSING_ROOT))
        return []
    complaints = {index: _complaint(f"{root}/{index}") for index in indexes}
    absent = {index: complaint[1] for index, complaint in complaints.items() if complaint and complaint[0] != EMPTY}
    for index, found in absent.items():
        problems.append(Problem(index, None, f"{found}, expected a file in {root}", _obtain(spec, tree, root), MISSING_INDEX))
    return [index for index in indexes if index not in absent]


def _obtain(spec: DatasetSpec, tree: str, root: Path) -> str:
    """How to get a data set that is missing in `root`."""
    if not spec.owner:
        return f"put the data set there, so that the folder contains {tree}"
    stand_in = root.with_name("synthetic-" + spec.layout)
    return (
        f"{spec.title} is available from {spec.owner} on a signed request to its owners; unpack it there, so that the "
        f"folder contains {tree}. Synthetic substitute: python -m synthpeople --layout {spec.layout} --out "
        f"{stand_in}, then pass -p data_root {stand_in} -p scale tiny to the notebooks"
    )


def has_folder(root: Path, folder: str, problems: list[Problem]) -> bool:
    """Whether the folder exists; if not, a problem is added."""
    if found := _no_folder(f"{root}/{folder}"):
        problems.append(Problem(folder, None, f"{found} in {root}", RESTORE, "missing folder"))
    return not found


def folders_of_images(root: Path, folder: str, problems: list[Problem]) -> Callable[[str], list[str]]:
    """A function that returns the images of a subfolder of `folder` by its name, as `folder_images` does.

    Subfolders are listed once: asking the disk for each of a hundred thousand missing ones would take too long.
    """
    try:
        names = set(os.listdir(f"{root}/{folder}"))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        names = set()
    except OSError:
        names = None  # a folder that cannot be listed may still be entered
    return lambda name: folder_images(root, f"{folder}/{name}", problems) if names is None or name in names else []


def read_ids(root: Path, index: str, problems: list[Problem]) -> dict[int, int]:
    """Identities of a comma-separated list, each with its line number; repeated or non-numeric entries are problems."""
    identities: dict[int, int] = {}
    for line, text in _lines(root, index, problems, LARGEST_LIST):
        for word in re.split(r"[,\s]+", text.strip(", \t")):
            if (identity := _whole_number(word)) is None:
                fix = "identities are whole numbers separated by commas"
                problems.append(Problem(index, line, f"{word!r} is not an identity", fix, "bad identity"))
            elif identity in identities:
                problems.append(Problem(index, line, f"identity {identity} twice", "list it once", "listed twice"))
            else:
                identities[identity] = line
    return identities


def read_images(root: Path, indexes: Sequence[str], problems: list[Problem]) -> list[tuple[str, str, int]]:
    """(index file, path, label) of each valid line `relative/path label`, in the order of the files and their lines.

    A path repeated with the same label is kept once; a path repeated with another label or in another index file is
    contradictory and is dropped altogether.
    """
    seen: dict[str, tuple[str, int, int]] = {}
    contradicted = set()
    for index in indexes:
        for line, text in _lines(root, index, problems):
            entry = _entry(root, index, line, text, problems)
            if entry is None:
                continue
            path, label = entry
            if path not in seen:
                seen[path] = (index, line, label)
                continue
            first_index, first_line, first_label = seen[path]
            first = f"at {first_index}:{first_line}"
            if (first_index, first_label) == (index, label):
                problems.append(Problem(index, line, f"{path!r} is already {first}", "list it once", "listed twice"))
            else:
                contradicted.add(path)
                found = f"{path!r} has label {label} here but {first_label} {first}"
                fix = "an image has one label, one modality and one split; correct one of the lines"
                problems.append(Problem(index, line, found, fix, "contradiction"))
    return [(index, path, label) for path, (index, _, label) in seen.items() if path not in contradicted]


def folder_images(root: Path, folder: str, problems: list[Problem]) -> list[str]:
    """Sorted paths, relative to root, of the images in a folder; none if the folder does not exist."""
    images = []
    try:
        with os.scandir(f"{root}/{folder}") as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(".") or not name.lower().endswith(EXTENSIONS):
                    continue
                if not name.isprintable() and _undecodable(name):
                    found = f"file name {os.fsencode(name)!r} is not UTF-8"
                    problems.append(Problem(folder, None, found, "rename the file", "unreadable name"))
                elif complaint := _complaint(entry):
                    problems.append(Problem(f"{folder}/{name}", None, complaint[1], RESTORE, complaint[0]))
                else:
                    images.append(f"{folder}/{name}")
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(Problem(folder, None, f"cannot be listed: {error.strerror}", READABLE, "unreadable folder"))
    return sorted(images)


def _lines(root: Path, index: str, problems: list[Problem], largest: int = LARGEST) -> Iterator[tuple[int, str]]:
    """Non-blank lines with their numbers, of a file of at most `largest` bytes.

    Split as bytes: str.splitlines also breaks at characters that names may contain.
    """
    fix = "save the file as UTF-8 text"
    try:
        data = read_bytes(root / index, largest).removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        problems.append(Problem(index, None, f"cannot be read: {error.strerror}", READABLE, MISSING_INDEX))
        return
    if not data.strip():
        problems.append(Problem(index, None, "lists nothing", RESTORE, "empty index file"))
        return
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        problems.append(Problem(index, None, "is UTF-16 or not a text file", fix, "unreadable line"))
        return
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            problems.append(Problem(index, number, f"{line[:120]!r} is not UTF-8", fix, "unreadable line"))
            continue
        if "\0" in text:
            problems.append(Problem(index, number, "contains zero bytes, as after a failed copy", RESTORE, "unreadable line"))
        elif text:
            yield number, text


def _entry(root: Path, index: str, line: int, text: str, problems: list[Problem]) -> tuple[str, int] | None:
    """Path and label of one index line, or None and a problem."""

    def wrong(kind: str, found: str, fix: str) -> None:
        problems.append(Problem(index, line, found, fix, kind))

    fields = text.rsplit(None, 1)
    if len(fields) < 2:
        wrong("no label", f"{text!r} is not a path and a label", WRITE)
        return None
    path, label = fields[0].replace("\\", "/"), _whole_number(fields[1])
    if label is None:
        wrong("bad label", f"label {fields[1]!r} is not a whole number, 0 or more", WRITE)
        return None
    if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in path.split("/"):
        wrong("unsafe path", f"{fields[0]!r} is outside the data set", "write the path relative to the data set's folder")
        return None
    path = posixpath.normpath(path)
    if complaint := _complaint(f"{root}/{path}"):
        if other := _composed_otherwise(root, path):
            fix = "rename the file, or copy its name into the line: they differ in how accents are composed (Unicode NFC and NFD)"
            wrong(complaint[0], f"{path!r} does not exist, but {other!a} does", fix)
        else:
            wrong(complaint[0], f"{path!r} {complaint[1]}", f"{RESTORE} or remove the line")
        return None
    return path, label


def _composed_otherwise(root: Path, path: str) -> str:
    """The path with its accents composed differently, as macOS writes names, if such a file exists; else ""."""
    others = () if path.isascii() else {unicodedata.normalize(form, path) for form in ("NFC", "NFD")} - {path}
    return next((other for other in others if not _complaint(f"{root}/{other}")), "")


def _complaint(file: str | os.DirEntry) -> tuple[str, str] | None:
    """(kind, found) if a file cannot be an image, judged by its size and type alone; else None."""
    try:
        status = file.stat() if isinstance(file, os.DirEntry) else os.stat(file)  # noqa: PTH116 — a Path costs five times as much
    except (FileNotFoundError, NotADirectoryError):
        return "missing image", "does not exist"
    except OSError as error:
        return "missing image", f"cannot be accessed: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "missing image", "is not a file"
    return (EMPTY, "is empty (0 bytes)") if status.st_size == 0 else None


def _no_folder(path: str) -> str:
    """What is wrong with a folder, "" if it exists. Not Path.is_dir, which raises if a parent folder is not accessible."""
    try:
        return "" if stat.S_ISDIR(os.stat(path).st_mode) else "is not a folder"  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return "no such folder"
    except OSError as error:
        return f"cannot be accessed: {error.strerror}"


def _whole_number(word: str) -> int | None:
    """At most 18 digits, so that it fits an int64; int() alone would accept `1_0` and the digits of other scripts."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 18 else None


def _undecodable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
