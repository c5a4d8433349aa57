"""Finds a sweep file, reads it as safe YAML and brings it into the form that the grid is made from.

    notebook: 02_train               # in notebooks/; one that makes a finished run
    fixed: {dataset: demo}           # parameters of every run
    grids:                           # the rows: the union of these grids, each the product of its axes
      - modules: [none, "frequency,channel"]     # a list is an axis: a value that is a list itself is written "5,7" or [[5, 7]]
      - network: [agw, twostream]
    seeds: [0, 1, 2]
    slurm: {timeout_min: 600}        # options of submitit's AutoExecutor, for --cluster

notebook, fixed and slurm may be left out. A file, even an untrusted one, can run nothing but the notebooks of this checkout.
"""

import contextlib
import math
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from fsclib.config.strict import nearest, shown
from fsclib.system import paths
from fsclib.system.errors import FsclibError
from fsclib.system.reading import read_text

KEYS = ("notebook", "fixed", "grids", "seeds", "slurm")
NOTEBOOK = "02_train"
LARGEST = 100_000  # bytes of a file
OPEN = 50  # nested brackets: yaml's time grows with the square of their number
CELLS = 10_000
# Options that request resources, and their types. Other options of submitit run commands, such as slurm_setup.
SLURM: dict[str, tuple[type, ...]] = (
    dict.fromkeys(("timeout_min", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"), (int,))
    | dict.fromkeys((
        "slurm_time", "slurm_nodes", "slurm_ntasks_per_node", "slurm_cpus_per_task", "slurm_cpus_per_gpu",
        "slurm_array_parallelism", "slurm_signal_delay_s",
    ), (int,))
    | dict.fromkeys((
        "slurm_partition", "slurm_qos", "slurm_account", "slurm_constraint", "slurm_gres", "slurm_nodelist", "slurm_exclude",
        "slurm_dependency", "slurm_mem", "slurm_mem_per_cpu", "slurm_mem_per_gpu", "slurm_comment", "slurm_wckey",
        "slurm_mail_type", "slurm_mail_user",
    ), (str,))
    | dict.fromkeys(("slurm_gpus_per_node", "slurm_gpus_per_task"), (int, str))  # a type may stand before the number: a100:2
    | dict.fromkeys(("slurm_use_srun", "slurm_stderr_to_stdout"), (bool,))
    | {"mem_gb": (int, float), "slurm_exclusive": (bool, str)}
)  # fmt: skip
TYPES = {int: "a whole number, at least 0", float: "a number, at least 0", str: "a line of text", bool: "true or false"}
IN_THE_SHELL = "load or set up what jobs need in the shell that starts the sweep, whose environment they inherit"


class SweepError(FsclibError, ValueError):
    """An invalid sweep file: the message lists each problem with what was found, what was expected and what to do."""

    def __init__(self, problems: Iterable[str], file: str = "the sweep"):
        self.problems, self.file = tuple(problems), file
        super().__init__(self.problems, file)

    def __str__(self) -> str:
        return "\n".join([f"{self.file} cannot be run:", *("  " + problem.replace("\n", "\n    ") for problem in self.problems)])


@dataclass(frozen=True)
class Content:
    """The usable part of a sweep file, and the problems with the rest."""

    notebook: Any
    fixed: dict[str, Any]
    grids: list[dict[str, list]]
    seeds: list[int]
    slurm: dict[str, Any]
    problems: list[str]


def find(path: str | Path) -> Path:
    """Finds a sweep file by its path, or by its bare name below sweeps/. Errors: SweepError that lists the existing ones."""
    folder = paths.checkout() / "sweeps"
    with contextlib.suppress(OSError, ValueError):  # too long for a file name, or with a null character
        for file in (Path(path), folder / path, folder / f"{path}.yaml"):
            if file.is_file():
                return file
    there = [file.stem for file in sorted(folder.glob("*.yaml"))]
    raise SweepError([f"no such file, and no sweep of this name in {folder}, which has {', '.join(there) or 'none'}"], str(path))


def content(file: Path) -> Content:
    """Reads a sweep file. Errors: SweepError if it is not YAML or not a table."""
    try:
        text = read_text(file, LARGEST)
        if (deep := max(accumulate((sign in "[{") - (sign in "]}") for sign in text), default=0)) > OPEN:
            raise ValueError(f"found {deep:,} nested brackets, expected at most {OPEN}")
        written = yaml.load(text, _Loader)
    except OSError as error:
        raise SweepError([f"cannot be read: {error.strerror or error}"], str(file)) from error
    except Exception as error:  # yaml's parsers of numbers, dates and booleans raise errors of their own
        raise SweepError([f"is not YAML: {error}"], str(file)) from error
    if not isinstance(written, dict):
        raise SweepError([f"found {shown(written)}, expected a table with the keys {', '.join(KEYS)}"], str(file))
    foreign = [key for key in written if key not in KEYS]
    problems = [f"{shown(key)}: no such key{nearest(shown(key), KEYS)}; keys are {', '.join(KEYS)}" for key in foreign]
    grids, seeds = _grids(written.get("grids"), problems), _seeds(written.get("seeds"), problems)
    if (cells := len(seeds) * sum(math.prod(map(len, grid.values())) for grid in grids)) > CELLS:
        problems.append(f"grids: found {cells:.3g} cells, expected at most {CELLS:,}; leave values out, or split the file")
        grids = []
    return Content(
        notebook=written.get("notebook", NOTEBOOK),
        fixed=_table("fixed", written.get("fixed", {}), problems),
        grids=grids,
        seeds=seeds,
        slurm=_slurm(_table("slurm", written.get("slurm", {}), problems), problems),
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
        return [0]  # a substitute, so that other problems are found too
    problems += [
        f"seeds: {shown(seed)} is listed more than once; list it once" for seed, number in Counter(seeds).items() if number > 1
    ]
    return list(dict.fromkeys(seeds))


def _slurm(options: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """Checks the options for a cluster; a job script would run the second line of a string as a command."""
    for name, value in options.items():
        if name not in SLURM:
            problems.append(f"slurm, {shown(name)}: not an option for sweeps{nearest(name, SLURM)}; {IN_THE_SHELL}")
        elif type(value) not in SLURM[name] or not _valid(value):
            wanted = " or ".join(TYPES[kind] for kind in SLURM[name])
            problems.append(f"slurm, {name}: found {shown(value)}, expected {wanted}")
    return options


def _valid(value: bool | float | str) -> bool:
    """Whether a text is one line, or a number finite and not negative."""
    return bool(value) and value.isprintable() if isinstance(value, str) else math.isfinite(value) and value >= 0


class _Loader(yaml.SafeLoader):
    """Safe YAML without duplicate keys, of which all but the last would be lost silently.

    It also refuses aliases: a few lines of them can expand to billions of values.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(problem="found an alias, write the value out", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(problem="a key that is not a word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(problem=f"{key.value!r} appears twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
