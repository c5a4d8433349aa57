"""More epochs for a run: another run that begins with the log and the checkpoints of its parent, and resumes from there.

With a schedule that does not depend on the number of epochs, such as the published step schedule, it ends like a single run of all
epochs. A cosine schedule is the new run's: its learning rates rise again where it begins.
"""

import shutil
from collections.abc import Mapping
from typing import Any

from fsclib import runs
from fsclib.config import Config
from fsclib.config.schema import difference
from fsclib.runs import Run, RunError, checkpoint
from fsclib.system.storage import replacing

FREE = ("parent", "epochs", "decay", "validate_every")  # fields of the recipe in which a run may differ from its parent
SAME = ("data_hash", "precision")  # parts of the environment in which it may not


def check(config: Config, environment: Mapping[str, Any] | None = None) -> None:
    """Checks that a run can continue its parent, and, with its `environment`, that data and precision are the parent's.

    Errors: RunError for a parent that does not exist, has another recipe or no epochs left to add; CheckpointError if it has
    no last checkpoint.
    """
    parent, start = parent_of(config), f"{config.dataset}/{config.parent}"
    done = checkpoint.state(parent.checkpoint("last"))["epoch"] + 1
    recipes = [{name: value for name, value in one.recipe().items() if name not in FREE} for one in (parent.config, config)]
    problems = difference(*recipes)
    if environment is not None:
        problems += difference(*({name: one.get(name) for name in SAME} for one in (parent.environment, environment)))
    if problems:
        told = f"parent: {parent.folder} was trained differently (its value vs the given one):"
        fix = f"Give the same values, except for {', '.join(FREE[1:])}; or start from its weights only, with init={start}."
        raise RunError("\n  ".join([told, *problems]) + f"\n{fix}")
    if done >= config.epochs:
        raise RunError(f"epochs: found {config.epochs}, but {parent.folder} has done {done}; give a larger number of epochs")


def parent_of(config: Config) -> Run:
    """The parent of a run. RunError if it does not exist or cannot be read."""
    return runs.load(config.dataset, config.parent, data_root=config.data_root)


def copy(run: Run) -> None:
    """Copies the log and the checkpoints of its parent into a run that has no checkpoint yet, the last checkpoint at the end."""
    parent = parent_of(run.config)
    best = () if run.config.select_on == "last" else ("checkpoints/best.safetensors",)  # there it is the last epoch's
    with runs.alone(parent.config):  # log and checkpoints of the same epoch
        for name in ("log.csv", *best, "checkpoints/last.safetensors"):
            if (parent.folder / name).exists():
                with replacing(run.folder / name) as part:
                    shutil.copyfile(parent.folder / name, part)
