"""Turns a sweep file into the cells of its grid, or reports everything wrong with it before the first run.

A sweep has the name of its file, a cell is <sweep>-<values of its axes>-seed<N>. All rows of the first seed come first, so that a
sweep that is stopped early leaves complete tables.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fsclib.config import Config, ConfigError
from fsclib.config.strict import named, nearest, shown
from fsclib.system import paths
from workbook.parameters import assigned
from workbook.sweep import file as sweepfile
from workbook.sweep import refusals
from workbook.sweep.configured import Cell
from workbook.sweep.file import NOTEBOOK, Content, SweepError

OWN = MappingProxyType({  # parameters that a sweep sets itself
    "name": "a sweep names its runs itself; leave it out, and rename the file for other names",
    "seed": "not a parameter of a row; use the key seeds, beside grids",
    "resume": "a sweep always resumes interrupted runs; leave it out",
})  # fmt: skip
NEEDED = ("dataset", "name", "seed")  # parameters of a notebook that makes a run


@dataclass(frozen=True)
class Sweep:
    """A named grid of cells, in the order in which they are run."""

    name: str
    notebook: Path
    cells: tuple[Cell, ...]
    slurm: Mapping[str, Any]


def read(path: str | Path, check: bool = True) -> Sweep:
    """Reads a sweep file, given by its path or by its bare name below sweeps/.

    Unless `check` is False, because nothing is going to run, also checks that existing runs fit and that the data sets of
    unfinished runs can be trained on; writes the demo corpus if it is missing. Errors: SweepError with all problems.
    """
    file = sweepfile.find(path)
    content = sweepfile.content(file)
    notebook, known, problems = _notebook(content.notebook)
    problems += [*content.problems, *_parameters(content, known, notebook.stem)]
    cells = []
    for seed, row in product(content.seeds, _rows(content.grids)):
        name = "-".join([file.stem, *(label(axis, value) for axis, value in row.items()), f"seed{shown(seed)}"])
        given = {axis: value for axis, value in (content.fixed | row).items() if axis in _fields() and axis not in OWN}
        given |= {"name": name, "seed": seed}
        try:
            # an invalid name is reported once, not once per cell
            config = Config(**given if refusals.admissible(name) else given | {"name": "auto"})
        except ConfigError as error:
            problems += error.problems
            continue
        if config.data_root:  # absolute: notebooks may run in another folder
            given |= {"dataset": config.dataset, "data_root": config.data_root}
        folder = paths.results_dir() / config.dataset / file.stem
        cells.append(Cell(notebook=notebook, parameters=MappingProxyType(given), folder=folder, config=config))
    problems += refusals.of(file.stem, cells, refused=bool(problems), check=check)
    if problems:
        raise SweepError(dict.fromkeys(problems), str(file))  # a problem of many cells is reported once
    return Sweep(file.stem, notebook, tuple(cells), MappingProxyType(content.slurm))


def label(axis: str, value: Any) -> str:
    """A value in the name of a run: a word stands alone, "frequency.channel"; a number follows its parameter's name, "epochs5"."""
    text = ",".join(map(_written, value)) if isinstance(value, (list, tuple)) else _written(value)
    word = re.sub(r"[^A-Za-z0-9_.-]+", ".", text)
    return word if word[:1].isalpha() and not isinstance(value, bool) else axis + word


def _written(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _notebook(name: Any) -> tuple[Path, list[str], list[str]]:
    """The file of a notebook, its parameters, and the problems with it."""
    folder = paths.checkout() / "notebooks"
    there = [file.stem for file in sorted(folder.glob("*.ipynb"))]
    if name not in there:
        near = nearest(shown(name), there)
        return folder / "none.ipynb", [], [f"notebook: found {shown(name)}, expected one of {', '.join(there)}{near}"]
    file = folder / f"{name}.ipynb"
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
    known = [name for cell in tagged for name in assigned("".join(cell["source"]))[0]]
    missing = [name for name in NEEDED if name not in known]
    if missing:
        fix = f"use one that does, such as {NOTEBOOK}"
        return file, [], [f"notebook: {name} has no parameter {' and no '.join(missing)}, so it makes no run; {fix}"]
    return file, known, []


def _parameters(content: Content, known: Sequence[str], notebook: str) -> Iterator[str]:
    """The problems with parameter names; if the notebook is unknown, only Config's names are checked."""
    axes = [axis for grid in content.grids for axis in grid]
    for name in dict.fromkeys([*content.fixed, *axes]):
        if name in OWN:
            yield f"{name}: {OWN[name]}"
        elif name not in _fields():
            yield f"{named(name)}: no such parameter{nearest(name, known or _fields())}"
        elif known and name not in known:
            yield f"{name}: not a parameter of {notebook}, it would have no effect"
        if name in content.fixed and name in axes:
            yield f"{name}: is both in fixed and in a grid; leave it in one of them"


def _rows(grids: Sequence[Mapping[str, list]]) -> list[dict[str, Any]]:
    return [dict(zip(grid, values, strict=True)) for grid in grids for values in product(*grid.values())]


def _fields() -> list[str]:
    return [f.name for f in fields(Config)]
