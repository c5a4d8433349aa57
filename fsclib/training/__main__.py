"""Trains from a shell.

python -m fsclib.training --dataset llcm --epochs 5
python -m fsclib.training --config my.json --devices 4

Over several machines: slurm/README.md.
"""

import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fsclib.config import Config, ConfigError
from fsclib.config.strict import named, shown
from fsclib.data.pixels.errors import DecodingError
from fsclib.data.records import DatasetError
from fsclib.runs import RunError
from fsclib.runs.checkpoint import CheckpointError
from fsclib.system import log
from fsclib.system.processes import Elsewhere
from fsclib.system.reading import read_json
from fsclib.training.distributed import launch
from fsclib.training.loop import TrainingError, fit

USAGE = "usage: python -m fsclib.training [--config file.json] [--parameter value] …"


def main(words: Sequence[str]) -> None:
    """Trains with a Config from `--name value` pairs and from the file given by `--config`."""
    if list(words) in (["-h"], ["--help"]):
        print(f"{USAGE}\n{Config.help()}")
        return
    if len(words) % 2 or not all(word.startswith("--") for word in words[::2]):
        sys.exit(f"{USAGE}\n{Config.help()}")
    names = [word[2:].replace("-", "_") for word in words[::2]]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ConfigError([f"{named(name)}: given {names.count(name)} times, expected once" for name in twice])
    given = dict(zip(names, map(literal, words[1::2]), strict=True))
    file = given.pop("config", None)
    fit(Config(**({} if file is None else read_parameters(Path(str(file)))) | given))


def read_parameters(file: Path) -> dict[str, Any]:
    """Reads parameters by name from JSON: {"dataset": "llcm", …}, or the config.json of a run. ValueError for anything else."""
    try:
        found = read_json(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if isinstance(found, dict) and isinstance(found.get("config"), dict):
        found = found["config"]
    if not isinstance(found, dict):
        raise ValueError(f'{file}: found {shown(found)}, expected parameters by name, as in {{"dataset": "llcm"}}')
    return found


def literal(text: str) -> object:
    """The Python value of a literal, or the text itself if it is none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # such as {[]: 1}, or too deep nesting
        return text


if __name__ == "__main__":
    log.show()
    launch.end_with_the_starter()
    try:
        main(sys.argv[1:])
    except Elsewhere as error:
        launch.stand_back(error)
    except (ValueError, OSError, DatasetError, RunError, CheckpointError, DecodingError, TrainingError) as error:
        launch.explain(error)
        sys.exit(str(error))  # the messages say what to do; a traceback would bury them
