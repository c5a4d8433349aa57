"""The main table: results of finished runs under every protocol, repeated trainings in one row, beside chance and raw pixels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fsclib.analysis.literature import NETWORKS
from fsclib.config import Config
from fsclib.data.protocols import DIRECTIONS
from fsclib.metrics.differences import FIGURES
from fsclib.metrics.estimates import over_people, over_trainings, text
from fsclib.runs import config_of

HEADINGS = {"rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10", "rank20": "rank-20", "map": "mAP", "minp": "mINP"}
PRINTED = ("rank1", "rank10", "map", "minp")
BOUNDS = [f"{name}_{end}" for name in FIGURES for end in ("low", "high")]
COLUMNS = ["setting", "network", "recipe", "trainings", *(n for name in HEADINGS for n in (name, f"{name}_std")), *BOUNDS, "runs"]
SUFFIX = f".{next(iter(FIGURES))}"


def table(
    rows: pd.DataFrame, people: Mapping[str, pd.DataFrame | None] | None = None, references: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per (protocol, recipe), from finished rows of runs.table(): means over trainings, in per cent.

    people: the table of identities of each run by its name; references: chance and raw pixels on the same images.
    Columns: setting (the protocol in words), network, recipe, trainings; the figures of HEADINGS, each with its standard deviation
    over trainings, …_std, nan for one; FIGURES with a 95 % interval over people, …_low and …_high, nan without people; runs, their
    names. Runs that differ only in the seed, or in RegDB's trial, are repeats.
    """
    groups: dict[str, list[dict]] = {}
    for row in rows.to_dict("records"):
        recipe = {name: value for name, value in config_of(row).recipe().items() if name not in ("seed", "trial")}
        groups.setdefault(repr((recipe, row["precision"])), []).append(row)
    intervals = {name: _intervals(group, people or {}) for name, group in groups.items()}
    prefixes = [name.removesuffix(SUFFIX) for name in rows if name.startswith("metrics.") and name.endswith(SUFFIX)]
    found = []
    for prefix in prefixes:
        mode, _, direction = prefix.removeprefix("metrics").strip(".").rpartition(".")
        words = {"setting": setting(mode, direction)}
        found += [words | _reference(row) for row in _of(references, mode, direction)]
        for name, group in groups.items():
            bounds = {column: row[column] for row in _of(intervals[name], mode, direction) for column in BOUNDS}
            found.append(words | _row(prefix, group) | bounds)
    return pd.DataFrame(found).reindex(columns=COLUMNS)


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """The table for print: mean ± standard deviation [interval over people]."""
    kept = {name: found[name].fillna("") for name in ("setting", "network", "recipe")}
    kept["trainings"] = found["trainings"].map(lambda number: "" if pd.isna(number) else f"{number:.0f}")
    for name in PRINTED:
        kept[HEADINGS[name]] = [_figure(row, name) for row in found.to_dict("records")]
    return once(pd.DataFrame(kept))


def once(table: pd.DataFrame) -> pd.DataFrame:
    """Blanks a setting that repeats the line above."""
    return table.assign(setting=table["setting"].where(table["setting"] != table["setting"].shift(), ""))


def setting(mode: str, direction: str) -> str:
    """A protocol in words."""
    return ", ".join(filter(None, (mode, DIRECTIONS[direction])))


def recipe_of(config: Config) -> str:
    """How a run departs from its presets, in words, and whether the test images chose its checkpoint."""
    departures = {name: value for name, value in config.departures().items() if name != "select_on"}
    words = [f"{name} {_written(value)}" for name, value in departures.items()]
    return ", ".join([f"preset {config.scale}", *words, *["test-selected"] * (config.select_on == "test")])


def _row(prefix: str, group: list[dict]) -> dict:
    config = config_of(group[0])
    row = {"network": NETWORKS.get(config.network, config.network), "recipe": recipe_of(config), "trainings": len(group)}
    for name in HEADINGS:
        values = pd.Series([one.get(f"{prefix}.{name}") for one in group], dtype=float)
        row |= {name: values.mean(), f"{name}_std": values.std()}
    return row | {"runs": " ".join(one["name"] for one in group)}


def _reference(row: dict) -> dict:
    return {"network": row["method"]} | {name: row[name] for name in HEADINGS if name in row}


def _intervals(group: list[dict], people: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame | None:
    """Intervals over the people of repeated trainings; None if one of these has no table of people."""
    tables = [people.get(one["name"]) for one in group]
    known = [table for table in tables if table is not None]
    return over_people([over_trainings(known)]) if len(known) == len(tables) else None


def _of(table: pd.DataFrame | None, mode: str, direction: str) -> list[dict]:
    """The rows of a protocol."""
    return [] if table is None else table[(table["mode"] == mode) & (table["direction"] == direction)].to_dict("records")


def _written(value: object) -> str:
    return (" + ".join(map(str, value)) or "none") if isinstance(value, (tuple, list)) else str(value)


def _figure(row: dict, name: str) -> str:
    low, high = (row.get(f"{name}_{end}", np.nan) for end in ("low", "high"))
    return text(row[name], low, high, spread=row[f"{name}_std"])
