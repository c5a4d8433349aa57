"""One's own images in a CSV file, one per line.

Required columns: path, relative to the folder of the CSV file; id, any name; modality, visible or infrared. Optional columns:
camera, any name; split, train, val or test; group, any name, whose people stay on one side of the split.
"""

import csv
import io
import os
import posixpath
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from fsclib.config.strict import nearest, shown
from fsclib.data.layouts.listing import complaint
from fsclib.data.layouts.words import MODALITY_WORDS, SPLIT_WORDS
from fsclib.data.records import NO_TABLE, Problem
from fsclib.system.reading import read_bytes

NEEDED, MORE = ("path", "id", "modality"), ("camera", "split", "group")
OTHER_NAMES = {"file": "path", "image": "path", "filename": "path", "identity": "id", "person": "id", "pid": "id", "cam": "camera"}
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
LARGEST, ROWS = 1 << 27, 500_000  # bytes and lines; ten times the largest data set of this field
UNLABELLED = "evaluation needs to know who is who; to search images of unknown people use fsclib rank or Embedder.rank"


def read(file: Path, problems: list[Problem]) -> list[tuple[str, str, str, str, str, str]]:
    """(path, identity, camera, modality, split, group) of each valid line; missing columns are ""."""

    def wrong(kind: str, found: str, fix: str, line: int | None = None) -> None:
        problems.append(Problem(file.name, line, found, fix, kind))

    try:
        text = read_bytes(file, LARGEST).decode("utf-8-sig")
    except OSError as error:
        wrong(NO_TABLE, f"{file} cannot be read: {error.strerror or error}", "give the path of a CSV file")
        return []
    except UnicodeDecodeError:
        wrong(NO_TABLE, "is not UTF-8 text", "save it as CSV in UTF-8")
        return []
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        header, rows = [name.strip().lower() for name in next(lines, [])], list(lines)
    except csv.Error as error:
        wrong(NO_TABLE, f"is not a CSV file: {error} in line {lines.line_num}", "save it as CSV in UTF-8")
        return []
    names = [OTHER_NAMES.get(name, name) for name in header]
    if found := _columns(header, names, len(rows)):
        for told, fix in found:
            wrong(NO_TABLE, told, fix)
        return []
    read_lines = _Lines(file.parent, names)
    kept = [entry for line, row in enumerate(rows, 2) if (entry := read_lines.entry(line, row, wrong)) is not None]
    if read_lines.unlabelled:
        first, number = read_lines.unlabelled[0], len(read_lines.unlabelled)
        wrong("no identity", f"{number} image{'s' * (number > 1)} without an id", UNLABELLED, first)
    return kept


def _columns(header: Sequence[str], names: Sequence[str], rows: int) -> list[tuple[str, str]]:
    """What is wrong with the header and the number of lines, and how to fix it."""
    expected = f"expected the columns {', '.join(NEEDED)}, and if you like {', '.join(MORE)}"
    for sign, word in SEPARATORS.items():
        if len(header) == 1 and sign in header[0]:
            return [(f"columns are separated by {word}", "save it with commas")]
    found = f"found the columns {shown(', '.join(header))}"
    wrong = [(f"{found}, but no {name}{nearest(name, header)}", expected) for name in NEEDED if name not in names]
    wrong += [(f"{found}, two of them {name}", expected) for name, number in Counter(names).items() if number > 1 and name]
    if rows > ROWS:
        wrong.append((f"has {rows:,} lines, at most {ROWS:,} can be used", "leave images out, or split the file"))
    return wrong or ([] if rows else [("lists nothing", "write a line for each image")])


class _Lines:
    """Checks lines of a table in `folder` with these columns, and remembers the paths it has met."""

    def __init__(self, folder: Path, names: Sequence[str]):
        self.folder, self.names = os.path.abspath(folder), names  # noqa: PTH100 -- Path objects take five times as long
        self.seen: dict[str, int] = {}
        self.unlabelled: list[int] = []

    def entry(self, line: int, row: Sequence[str], wrong: Callable) -> tuple[str, str, str, str, str, str] | None:
        """The entry of a line, or None, after calling wrong(kind, found, fix, line) for each problem."""
        if not any(row):
            return None
        if len(row) != len(self.names):
            wrong("bad line", f"has {len(row)} values for {len(self.names)} columns", "quote values that contain commas", line)
            return None
        values = dict(zip(self.names, map(str.strip, row), strict=True))
        path = values["path"].replace("\\", "/")
        path = os.path.relpath(path, self.folder) if path.startswith("/") else posixpath.normpath(path)
        modality, split = MODALITY_WORDS.get(values["modality"].lower()), values.get("split", "").lower()
        known = len(self.unlabelled)
        if not values["id"]:
            self.unlabelled.append(line)
        problems = [
            ("unsafe path", f"{values['path']!r} is outside {self.folder}", "put the CSV file into a folder above the images")
            if path.startswith("..")
            else ("missing image", f"{values['path']!r} {broken[1]}", "correct the path, or remove the line")
            if (broken := complaint(f"{self.folder}/{path}"))
            else ("listed twice", f"{values['path']!r} is already in line {self.seen[path]}", "list it once")
            if path in self.seen
            else None,
            None if modality else ("bad modality", f"modality {values['modality']!r}", "write visible or infrared"),
            None if split in ("", *SPLIT_WORDS) else ("bad split", f"split {split!r}", "write train, val or test"),
        ]
        told = [problem for problem in problems if problem]
        for problem in told:
            wrong(*problem, line)
        self.seen.setdefault(path, line)
        if told or len(self.unlabelled) > known:
            return None
        return path, values["id"], values.get("camera", ""), str(modality), SPLIT_WORDS.get(split, ""), values.get("group", "")
