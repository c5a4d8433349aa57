"""Validated reading of the files of a run.

Each reader returns the content, or raises OSError or ValueError with what was found and expected; folder.py adds the file name.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsclib.config.strict import shown
from fsclib.data.protocols import DIRECTIONS
from fsclib.system.reading import read_csv, read_json

if TYPE_CHECKING:
    import pandas as pd

SCALARS = (str, int, float, bool, type(None))
ENVIRONMENT = {  # the entries that matter later, and their types
    "data_hash": str, "pixels_hash": str, "precision": str, "revision": str, "packages": dict, "extensions": dict,
    "processes": int,
}  # fmt: skip
NEEDED = ("data_hash", "precision")  # present in runs of all versions
TABLES = {  # tables that are read again: their text columns and their numeric columns
    "identities": (("mode", "direction"), ("identity", "share", "rank1", "map", "minp")),
    "trials": (("mode", "direction", "weighting"), ("trial", "queries", "rank1", "map", "minp")),
    "references": (("mode", "direction", "method"), ("rank1", "map", "minp")),
    "baselines": (("mode", "direction", "method"), ("rank1", "map", "minp")),
}


def config(file: Path) -> dict[str, dict[str, Any]]:
    """config.json: {"config": …, "environment": …}, each with plain values, or lists and objects of plain values."""
    found = read_json(file)
    parts = ("config", "environment")
    if not isinstance(found, dict) or not all(isinstance(found.get(part), dict) for part in parts):
        raise ValueError(f"not written by this library, expected the entries {' and '.join(parts)}")
    if "ranks" in found["environment"]:  # in earlier versions, processes were ranks
        found["environment"]["processes"] = found["environment"].pop("ranks")
    if found["config"].get("batch") == "per-rank":
        found["config"]["batch"] = "per-process"
    for part in parts:
        for name, value in found[part].items():
            inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            if not all(isinstance(one, SCALARS) for one in inside):
                expected = "a plain value, or a list or object of plain values"
                raise ValueError(f"{part}, {shown(name)}: found {shown(value)}, expected {expected}")
    environment = found["environment"]
    for name, kind in ENVIRONMENT.items():
        if not isinstance(environment.get(name, kind()), kind):
            raise ValueError(f"environment, {name}: found {shown(environment[name])}, expected {kind.__name__}")
    if missing := [name for name in NEEDED if name not in environment]:
        raise ValueError(f"environment: found no {' and no '.join(missing)}")
    return found


def metrics(file: Path) -> dict[str, Any]:
    """metrics.json: figures named "<mode>.<direction>.<figure>", and notes whose names have no dots."""
    found = read_json(file)
    if not isinstance(found, dict):
        raise ValueError("not written by this library, expected an object")
    numbers = found.get("numbers", {})
    if not isinstance(numbers, dict) or not all(type(number) is int for number in numbers.values()):
        raise ValueError(f"numbers: found {shown(numbers)}, expected an object of integers")
    for name, value in found.items():
        if not f"{name}{value}".isprintable():  # both are shown
            raise ValueError(f"{shown(name)}: found {shown(value)}, expected a name and a value without control characters")
        if not all(isinstance(one, SCALARS) for one in (value.values() if isinstance(value, dict) else [value])):
            raise ValueError(f"{shown(name)}: found {shown(value)}, expected a plain value, or an object of plain values")
        direction, figure = ["", *name.split(".")][-2:]
        number = type(value) in (int, float) and not abs(value) > 2**53  # not infinite; nan is allowed for undefined figures
        if figure != name and (direction not in DIRECTIONS or not number):
            raise ValueError(f"{shown(name)}: found {shown(value)}, expected a number for one of {', '.join(DIRECTIONS)}")
    return found


def log(file: Path) -> "pd.DataFrame":
    """log.csv: one row per epoch, numbers only."""
    found = read_csv(file)
    if "epoch" not in found or not _numbers(found, found.columns) or found["epoch"].dtype.kind not in "iu":
        found_columns = ", ".join(map(shown, found))
        raise ValueError(f"found columns {found_columns}, expected integers in 'epoch' and numbers in all others")
    return found


def table(file: Path, name: str) -> "pd.DataFrame":
    """A table saved by a run; the columns of those listed in TABLES are checked."""
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
