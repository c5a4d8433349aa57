"""A sweep file as it is written: found, read as safe YAML, and brought to the form that the grid is made from.

    notebook: 02_train               # in notebooks/; one that leaves a finished run
    fixed: {dataset: demo}           # parameters that every run has
    grids:                           # the rows: the union of these grids, each the product of its axes
      - modules: [none, "frequency,channel"]     # a list is an axis: a value that is a list itself is written "5,7" or [[5, 7]]
      - network: [agw, twostream]
    seeds: [0, 1, 2]
    slurm: {timeout_min: 600}        # options of submitit's AutoExecutor, for --cluster

notebook, fixed and slurm may be left out.
"""

import contextlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fsclib import paths
from fsclib.strict import nearest, shown

KEYS = ("notebook", "fixed", "grids", "seeds", "slurm")
NOTEBOOK = "02_train"


class SweepError(ValueError):
    """A sweep file that cannot be meant: the message lists each problem with what was found, what was expected and what to do."""

    def __init__(self, problems: Iterable[str], file: str = "the sweep"):
        self.problems, self.file = tuple(problems), file
        super().__init__(self.problems, file)

    def __str__(self) -> str:
        return "\n".join([f"{self.file} cannot be run:", *("  " + problem.replace("\n", "\n    ") for problem in self.problems)])


@dataclass(frozen=True)
class Content:
    """What is usable of a sweep file, and the problems with the rest."""

    notebook: Any
    fixed: dict[str, Any]
    grids: list[dict[str, list]]
    seeds: list[int]
    slurm: dict[str, Any]
    problems: list[str]


def find(path: str | Path) -> Path:
    """A sweep file by its path, or by its bare name below sweeps/. Errors: SweepError that lists those there."""
    folder = paths.checkout() / "sweeps"
    for file in (Path(path), folder / path, folder / f"{path}.yaml"):
        with contextlib.suppress(OSError, ValueError):  # too long for a file, or with a null character
            if file.is_file():
                return file
    there = [file.stem for file in sorted(folder.glob("*.yaml"))]
    raise SweepError([f"no such file, and no sweep of this name in {folder}, which has {', '.join(there) or 'none'}"], str(path))


def content(file: Path) -> Content:
    """What a sweep file says. Errors: SweepError if it is not YAML or no table at all."""
    try:
        written = yaml.load(file.read_text(), _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise SweepError([f"is not YAML: {error}"], str(file)) from error
    if not isinstance(written, dict):
        raise SweepError([f"found {shown(written)}, expected a table with the keys {', '.join(KEYS)}"], str(file))
    foreign = [key for key in written if key not in KEYS]
    problems = [f"{shown(key)}: no such key{nearest(str(key), KEYS)}; keys are {', '.join(KEYS)}" for key in foreign]
    return Content(
        notebook=written.get("notebook", NOTEBOOK),
        fixed=_table("fixed", written.get("fixed", {}), problems),
        grids=_grids(written.get("grids"), problems),
        seeds=_seeds(written.get("seeds"), problems),
        slurm=_table("slurm", written.get("slurm", {}), problems),
        problems=problems,
    )


def _table(name: str, value: Any, problems: list[str]) -> dict[str, Any]:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    problems.append(f"{name}: found {shown(value)}, expected a table of names and values")
    return {}


def _grids(value: Any, problems: list[str]) -> list[dict[str, list]]:
    if not isinstance(value, list) or not value:
        problems.append(f"grids: found {shown(value)}, expected a list of at least one grid, such as - parameter: [values]")
        return []
    grids = []
    for number, written in enumerate(value, 1):
        name = f"grids, number {number}"
        if written == {}:
            problems.append(f"{name}: has no parameters; give one at least, or leave the grid out")
        grid = _table(name, written, problems)
        problems += [f"{name}: {axis} has no values; give one at least" for axis, values in grid.items() if values == []]
        grids.append({axis: values if isinstance(values, list) else [values] for axis, values in grid.items()})
    return [grid for grid in grids if grid]


def _seeds(value: Any, problems: list[str]) -> list[int]:
    seeds = value if isinstance(value, list) else [value]
    if not seeds or any(type(seed) is not int for seed in seeds):
        problems.append(f"seeds: found {shown(value)}, expected whole numbers, such as [0, 1, 2]")
        return [0]  # in their place, so that what else is wrong is found as well
    problems += [f"seeds: {seed} stands more than once" for seed in dict.fromkeys(seeds) if seeds.count(seed) > 1]
    return list(dict.fromkeys(seeds))


class _Loader(yaml.SafeLoader):
    """Safe YAML in which no key may stand twice: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(problem="a key that is no word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(problem=f"{key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
