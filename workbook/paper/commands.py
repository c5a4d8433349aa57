"""The commands that make what is missing in a paper. Run them in notebooks/; sweeps run from anywhere."""

import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fsclib.config import Config
from workbook.paper.options import PaperOptions


def train(config: Config) -> str:
    """Trains this configuration: passes every parameter that differs from 02_train's defaults."""
    usual = Config(dataset=config.dataset)
    chosen = {name: getattr(config, name) for name in ("scale", "network", "trial", "seed")}
    given = {name: value for name, value in chosen.items() if value != getattr(usual, name)} | config.departures()
    named = {"name": config.name} if config.name != Config(dataset=config.dataset, **chosen).name else {}
    where = {"data_root": config.data_root} if config.data_root else {}
    return _papermill("02_train", {"dataset": config.dataset} | given | named | where)


def evaluate(config: Config, name: str) -> str:
    """Tests a run."""
    trial = {"trial": config.trial} if config.trial != 1 else {}
    where = {"data_root": config.data_root} if config.data_root else {}
    return _papermill("03_evaluate", {"dataset": config.dataset, "name": name} | trial | where)


def sweep(name: str, retry: bool = False) -> str:
    """Runs the missing cells of a sweep; `retry`: failed ones as well."""
    return f"python -m workbook.sweep {shlex.quote(name)}{' --retry' * retry}"


def paper(options: PaperOptions) -> str:
    """Runs the notebook that made a paper."""
    given = {f.name: getattr(options, f.name) for f in fields(options)}
    changed = {name: value for name, value in given.items() if value != getattr(PaperOptions(), name) or name == "dataset"}
    return _papermill("09_paper", changed)


def _papermill(notebook: str, parameters: Mapping[str, Any]) -> str:
    words = ["papermill", f"{notebook}.ipynb", f"../results/{notebook}.ipynb"]
    for name, value in parameters.items():
        several = isinstance(value, (tuple, list))
        words += ["-p", name, (",".join(map(str, value)) or "none") if several else str(value)]
    return shlex.join(words)
