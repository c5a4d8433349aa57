"""What the files of a run must hold to be believed, whoever wrote them.

Each reader returns what it found, or raises OSError or ValueError with what was found and expected; runs.py names the file.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsclib.data.protocols import DIRECTIONS
from fsclib.reading import read_csv, read_json
from fsclib.strict import shown

if TYPE_CHECKING:
    import pandas as pd

SCALARS = (str, int, float, bool, type(None))
ENVIRONMENT = {  # its parts that decide something, and what they are
    "data_hash": str, "pixels_hash": str, "precision": str, "revision": str, "packages": dict, "extensions": dict,
    "ranks": int,
}  # fmt: skip
NEEDED = ("data_hash", "precision")  # as far back as runs were written
TABLES = {  # those that are read again: their columns of text, and of numbers
    "identities": (("mode", "direction"), ("identity", "share", "rank1", "map", "minp")),
    "trials": (("mode", "direction", "weighting"), ("trial", "queries", "rank1", "map", "minp")),
    "baselines": (("mode", "direction", "method"), ("rank1", "map", "minp")),
}


def config(file: Path) -> dict[str, dict[str, Any]]:
    """config.json: {"config": …, "environment": …}, each with plain values or lists and tables of such."""
    found = read_json(file)
    parts = ("config", "environment")
    if not isinstance(found, dict) or not all(isinstance(found.get(part), dict) for part in parts):
        raise ValueError(f"not written by this library, expected {' and '.join(parts)} in it")
    for part in parts:
        for name, value in found[part].items():
            inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            if not all(isinstance(one, SCALARS) for one in inside):
                raise ValueError(f"{part}, {shown(name)}: found {shown(value)}, expected a plain value, or a list or table of such")
    environment = found["environment"]
    for name, kind in ENVIRONMENT.items():
        if not isinstance(environment.get(name, kind()), kind):
            raise ValueError(f"environment, {name}: found {shown(environment[name])}, expected {kind.__name__}")
    if missing := [name for name in NEEDED if name not in environment]:
        raise ValueError(f"environment: found no {' and no '.join(missing)}")
    return found


def metrics(file: Path) -> dict[str, Any]:
    """metrics.json: figures by name, "<mode>.<direction>.<figure>", and what is said of them, by names without dots."""
    found = read_json(file)
    if not isinstance(found, dict):
        raise ValueError("not written by this library, expected a table")
    for name, value in found.items():
        if not all(isinstance(one, SCALARS) for one in (value.values() if isinstance(value, dict) else [value])):
            raise ValueError(f"{shown(name)}: found {shown(value)}, expected a plain value, or a table of such")
        *_, direction, figure = ("", *name.split("."))
        number = type(value) in (int, float) and not abs(value) > 2**53  # nor infinite; but nan is what nobody could measure
        if figure != name and (direction not in DIRECTIONS or not number):
            raise ValueError(f"{shown(name)}: found {shown(value)}, expected a number for a direction of {', '.join(DIRECTIONS)}")
    return found


def log(file: Path) -> "pd.DataFrame":
    """log.csv: a row an epoch, numbers alone."""
    found = read_csv(file)
    if "epoch" not in found or not _numbers(found, found.columns) or found["epoch"].dtype.kind not in "iu":
        raise ValueError(f"found columns {', '.join(map(shown, found))}, expected whole epochs, and numbers in all others")
    return found


def table(file: Path, name: str) -> "pd.DataFrame":
    """A table that a run saved under a name; those of TABLES with their columns."""
    text, numbers = TABLES.get(name, ((), ()))
    found = read_csv(file, keep_default_na=False, dtype=dict.fromkeys(text, str))
    if missing := [column for column in (*text, *numbers) if column not in found]:
        raise ValueError(f"found no column {', '.join(missing)}")
    if not _numbers(found, numbers):
        raise ValueError(f"found text, expected numbers in {', '.join(numbers)}")
    if strange := set(found["direction"]) - set(DIRECTIONS) if text else ():
        raise ValueError(f"direction: found {', '.join(map(shown, sorted(strange)))}, expected {' or '.join(DIRECTIONS)}")
    return found


def _numbers(found: "pd.DataFrame", columns: Any) -> bool:
    return all(found[column].dtype.kind in "iufb" for column in columns)
