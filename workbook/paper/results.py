"""The main table: results of finished runs under every protocol, repeated trainings in one row."""

import pandas as pd

from fsclib.analysis.literature import NETWORKS
from fsclib.config import Config
from fsclib.data.protocols import DIRECTIONS
from fsclib.metrics.differences import FIGURES
from fsclib.runs import config_of

HEADINGS = {"rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10", "rank20": "rank-20", "map": "mAP", "minp": "mINP"}
SUFFIX = f".{next(iter(FIGURES))}"


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per (protocol, recipe), from finished rows of runs.table(): means over trainings, in per cent.

    Columns: setting (the protocol in words), network, recipe, trainings; the figures of HEADINGS, each with its standard deviation
    over trainings, …_std, nan for one; runs, their names. Runs that differ only in the seed, or in RegDB's trial, are repeats.
    """
    groups: dict[str, list[dict]] = {}
    for row in rows.to_dict("records"):
        recipe = {name: value for name, value in config_of(row).recipe().items() if name not in ("seed", "trial")}
        groups.setdefault(repr((recipe, row["precision"])), []).append(row)
    prefixes = [name.removesuffix(SUFFIX) for name in rows if name.startswith("metrics.") and name.endswith(SUFFIX)]
    found = [_row(prefix, group) for prefix in prefixes for group in groups.values()]
    return pd.DataFrame(found)


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """The table for print: mean ± standard deviation."""
    kept = {name: found[name] for name in ("setting", "network", "recipe", "trainings")}
    for name, heading in HEADINGS.items():
        kept[heading] = [_figure(*pair) for pair in zip(found[name], found[f"{name}_std"], strict=True)]
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
    mode, _, direction = prefix.removeprefix("metrics").strip(".").rpartition(".")
    config = config_of(group[0])
    row = {"setting": setting(mode, direction)}
    row |= {"network": NETWORKS.get(config.network, config.network), "recipe": recipe_of(config), "trainings": len(group)}
    for name in HEADINGS:
        values = pd.Series([one.get(f"{prefix}.{name}") for one in group], dtype=float)
        row |= {name: values.mean(), f"{name}_std": values.std()}
    return row | {"runs": " ".join(one["name"] for one in group)}


def _written(value: object) -> str:
    return (" + ".join(map(str, value)) or "none") if isinstance(value, (tuple, list)) else str(value)


def _figure(mean: float, spread: float) -> str:
    if pd.isna(mean):
        return ""
    return f"{mean:.1f}" if pd.isna(spread) else f"{mean:.1f} ± {spread:.1f}"
