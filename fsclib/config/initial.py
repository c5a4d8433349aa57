"""`init`, the initial weights of a network: a name, a run, or the path of a run's folder or of a checkpoint.

A path is checked here only if it is relative, and made absolute. Whether the weights exist and fit is checked when they are needed:
a finished run can be opened without them.
"""

from pathlib import Path

from fsclib.config.location import absolute as absolute_path
from fsclib.config.names import NAME, SHIPPED
from fsclib.config.specs import DATASETS
from fsclib.config.strict import nearest, shown
from fsclib.system.paths import results_dir

NAMES = ("none", "imagenet", "people")
FORMS = "none, imagenet, people or people/<network> (shipped), a run as <dataset>/<name>, or the path of a run or checkpoint"


def absolute(init: str) -> str:
    """The value, a path made absolute. Errors: ValueError, RuntimeError, OSError for an invalid path."""
    if not init.strip():  # as a path, it would be the working directory
        raise ValueError("no value")
    return init if init in NAMES or SHIPPED.fullmatch(init) or is_run(init) else absolute_path(init)


def is_run(init: str) -> bool:
    """Whether the value names a run, <dataset>/<name>: of a known data set, or of another with such a run in results/."""
    dataset, _, name = init.partition("/")
    return bool(NAME.fullmatch(dataset) and NAME.fullmatch(name)) and (
        dataset in DATASETS or (results_dir() / dataset / name / "config.json").is_file()
    )


def problem(init: str) -> str:
    """What is wrong with the value, "" if it has one of the forms."""
    try:
        place = absolute(init)
        if place == init or Path(init).expanduser().is_absolute() or Path(place).exists():
            return ""
    except (ValueError, RuntimeError, OSError) as error:
        return f"found {shown(init)}, expected {FORMS}: {error}"
    known = nearest(init, NAMES) or nearest(init.partition("/")[0], DATASETS)
    return f"found {shown(init)}, and no such file or folder; expected {FORMS}, with a data set of {', '.join(DATASETS)}{known}"
