"""Reads index files, which all layouts share, and collects the problems found.

No image is decoded here, and broken entries do not raise: each function appends Problems to the list it is given, and returns
the valid entries. Paths are strings instead of Path objects, because a data set has tens of thousands of entries.
"""

import os
import posixpath
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from fsclib.config.specs import DatasetSpec
from fsclib.data.layouts import advice
from fsclib.data.layouts.advice import RESTORE
from fsclib.data.records import MISNAMED, MISSING_INDEX, MISSING_ROOT, Problem
from fsclib.system.reading import LARGEST, read_bytes

LARGEST_LIST = 1 << 20  # bytes of a list of identities, enough for a hundred thousand
READABLE = f"{RESTORE}, or make it readable"
WRITE = "write `relative/path label`, or remove the line"
EMPTY = "empty image"


def existing(root: Path, indexes: Sequence[str], problems: list[Problem], spec: DatasetSpec, tree: str) -> list[str] | None:
    """The index files that exist, None if the data set is not in `root`; adds problems. tree: what should be there."""
    if found := _no_folder(str(root)):
        problems.append(Problem(str(root), None, found, advice.find(spec, tree, root), MISSING_ROOT))
        return None
    complaints = {index: complaint(f"{root}/{index}") for index in indexes}
    absent = {index: wrong[1] for index, wrong in complaints.items() if wrong and wrong[0] != EMPTY}
    if len(absent) == len(indexes) and (inner := advice.inner_folder(root, indexes)):
        found, fix = f"no index file, but {inner} has all of them", f"{advice.passing(inner)}, or move its contents up into {root}"
        problems.append(Problem(str(root), None, found, fix, MISSING_ROOT))
        return None
    for index, found in absent.items():
        if other := advice.spelled_otherwise(root, index):
            problems.append(Problem(index, None, f"found {other}, expected {index}", advice.RENAME, MISSING_INDEX))
        else:
            fix = advice.obtain(spec, tree, root)
            problems.append(Problem(index, None, f"{found}, expected a file in {root}", fix, MISSING_INDEX))
    return [index for index in indexes if index not in absent]


def has_folder(root: Path, folder: str, problems: list[Problem]) -> bool:
    """Whether the folder exists; if not, a problem is added."""
    if not (found := _no_folder(f"{root}/{folder}")):
        return True
    missing = Problem(folder, None, f"{found} in {root}", advice.restore(root), "missing folder")
    problems += misspelled(root, folder) or [missing]
    return False


def misspelled(root: Path, folder: str) -> list[Problem]:
    """A problem if a missing folder exists in other upper and lower case."""
    other = advice.spelled_otherwise(root, folder)
    return [Problem(folder, None, f"found {other}, expected {folder}", advice.RENAME, MISNAMED)] if other else []


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
    contradicted, start = set(), len(problems)
    lost: set[str] = set()  # folders in `root` with missing images
    for index in indexes:
        for line, text in _lines(root, index, problems):
            entry = _entry(root, index, line, text, problems, lost)
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
    problems[start:start] = [problem for folder in sorted(lost) for problem in misspelled(root, folder)]  # before its many images
    return [(index, path, label) for path, (index, _, label) in seen.items() if path not in contradicted]


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


def _entry(root: Path, index: str, line: int, text: str, problems: list[Problem], lost: set[str]) -> tuple[str, int] | None:
    """Path and label of one index line, or None and a problem; `lost` gets the first folder of a missing image."""

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
    if wrong_file := complaint(f"{root}/{path}"):
        kind, found = wrong_file
        if other := _named_otherwise(root, path):
            how = "upper and lower case" if other.lower() == path.lower() else "how accents are composed (Unicode NFC and NFD)"
            fix = f"rename the file, or copy its name into the line: they differ in {how}"
            wrong(kind, f"{path!r} does not exist, but {other!a} does", fix)
        else:
            lost.add(path.split("/")[0])
            wrong(kind, f"{path!r} {found}", f"{RESTORE} or remove the line")
        return None
    return path, label


def _named_otherwise(root: Path, path: str) -> str:
    """The path with its extension in other case, or its accents composed differently, as macOS writes names, if there is such a
    file; else ""."""
    stem, extension = posixpath.splitext(path)
    others = {stem + extension.lower(), stem + extension.upper(), *(unicodedata.normalize(form, path) for form in ("NFC", "NFD"))}
    return next((other for other in sorted(others - {path}) if not complaint(f"{root}/{other}")), "")


def complaint(file: str | os.DirEntry) -> tuple[str, str] | None:
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
