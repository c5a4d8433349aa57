"""Attributes of synthetic people, from attributes.csv, which the generator writes beside the index files of a corpus.

The person of a record is the number of its folder (vis/0351/x.jpg, cam1/0003/0001.jpg, Visible/12/x.bmp), because the identity of a
training record in LLCM is a label and not that number.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from fsclib.data.records import Dataset, hold_out
from fsclib.system.reading import read_csv

FILE = "attributes.csv"
RELATIONS = ("identity", "twin_of", "differs_in")  # columns that are not attributes
MOST_VALUES = 24  # of an attribute used as a target


class Targets(NamedTuple):
    """Attributes as classes: codes (N, A) int64 of N people, and the name and number of values of each of the A attributes."""

    codes: np.ndarray
    names: tuple[str, ...]
    sizes: tuple[int, ...]


def read_attributes(root: str | Path) -> pd.DataFrame | None:
    """One row per person, with text in all columns but `identity`; None without attributes.csv, as for real data sets.

    Errors: ValueError for a file that was not written by the generator.
    """
    file = Path(root) / FILE
    if not file.exists():
        return None
    try:
        table = read_csv(file, dtype=str, keep_default_na=False)
        if missing := [name for name in RELATIONS if name not in table]:
            raise ValueError(f"no column {', '.join(missing)}")
        table["identity"] = table["identity"].astype(np.int64)
        table.loc[table["twin_of"] != "none", "twin_of"].astype(np.int64)
        if table["identity"].duplicated().any():
            raise ValueError("an identity is listed twice")
        if table.empty or (table == "").to_numpy().any():
            raise ValueError("an entry is missing")  # as in a partially copied file
    except (OSError, ValueError, OverflowError) as error:
        raise ValueError(f"{file}: cannot be read ({error}); generate the corpus again, or remove the file") from error
    return table


def person_of(paths: Iterable[str]) -> np.ndarray:
    """The persons shown in images, (N,) int64, from the names of their folders. ValueError for a folder that is not a number."""
    folders = [PurePosixPath(path).parent.name for path in paths]
    if wrong := [folder for folder in folders if not (folder.isascii() and folder.isdigit() and len(folder) < 10)]:
        raise ValueError(f"folder {wrong[0]!r}: expected the number of a person, as in vis/0351")
    return np.array(folders, dtype=np.int64)


def families(table: pd.DataFrame) -> Mapping[int, int]:
    """Person → the person that represents its family: near twins have the same representative."""
    twin = table["twin_of"] != "none"
    first = np.where(twin, table["twin_of"].where(twin, 0), table["identity"]).astype(np.int64)
    return dict(zip(table["identity"].tolist(), first.tolist(), strict=True))


def held_out(dataset: Dataset, seed: int) -> pd.DataFrame:
    """Records with split "val" for held-out people, as marked by `records.hold_out`; attributes.csv identifies near twins.

    Errors: as in `hold_out` and `read_attributes`; ValueError for people missing from the table, whose twins are unknown.
    """
    records, table = dataset.records, read_attributes(dataset.root)
    if table is None:
        return hold_out(records, seed)
    training = records[records["split"] == "train"].drop_duplicates("identity")
    people = person_of(training["path"])
    _check_listed(table, people)
    known = families(table)
    return hold_out(records, seed, {i: known[p] for i, p in zip(training["identity"].tolist(), people.tolist(), strict=True)})


def _check_listed(table: pd.DataFrame, persons: np.ndarray) -> None:
    if missing := sorted(set(persons.tolist()) - set(table["identity"])):
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise ValueError(f"{FILE}: no row for person {missing[0]}{others}; generate the corpus again, or remove the file")


def targets(table: pd.DataFrame, persons: np.ndarray) -> Targets:
    """The attributes of `persons`, (N,): every column with 2 to MOST_VALUES distinct values, none of which is a decimal number.

    Values are coded in sorted order; "none" is a value like any other. ValueError for persons missing from the table.
    """
    _check_listed(table, persons)
    rows = table.set_index("identity")
    names, sizes, codes = [], [], []
    for name in rows.columns.drop([name for name in RELATIONS if name != "identity"]):
        values = np.unique(rows[name].to_numpy(str))
        if 2 <= len(values) <= MOST_VALUES and not any("." in value for value in values):
            names.append(name)
            sizes.append(len(values))
            codes.append(np.searchsorted(values, rows.loc[persons, name].to_numpy(str)))
    return Targets(np.stack(codes, 1) if codes else np.empty((len(persons), 0), np.int64), tuple(names), tuple(sizes))
