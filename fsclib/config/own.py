"""One's own data set, named by its path in place of a name: dataset="photos/pairs.csv", or a folder of images.

It gets the name of its file or folder ("pairs"), under which its runs are stored, and this path as its `data_root`. The config.json
of a run holds both, so the data set is known again in another process.
"""

import os
import re
from pathlib import Path
from typing import Any

from fsclib.config import registry
from fsclib.config.specs import DATASETS, DatasetSpec, Protocol

TABLE = ".csv"
DRAWN = 10  # splits into training and test people that can be drawn, like RegDB's ten
FORMS = "the path of a CSV file, or of a folder with visible/ and infrared/"


def spec_of(name: str) -> DatasetSpec:
    """The facts of one's own data set: cameras and people are found in its folder or table."""
    return DatasetSpec(
        title=name,
        folder=name,
        layout="own",
        splits=DRAWN,
        cameras={"visible": (), "infrared": ()},
        protocols=(Protocol("", "ir2vis", "standard"), Protocol("", "vis2ir", "standard")),
        modes={"": "standard protocol"},
        preset={"scale": "tiny", "stages": 4, "erase_min": 0.02, "erase_max": 0.4, "select_on": "last"},
    )


def adopt(options: Any) -> dict[str, str]:
    """Sets `dataset` and `data_root` of some options as in `recognised`; returns the problem, by field."""
    if not isinstance(options.dataset, str) or not isinstance(options.data_root, str):
        return {}  # reported by the check of their types
    dataset, data_root, problem = recognised(options.dataset, options.data_root)
    object.__setattr__(options, "dataset", dataset)
    object.__setattr__(options, "data_root", data_root)
    return {"dataset": problem} if problem else {}


def recognised(dataset: str, data_root: str) -> tuple[str, str, str]:
    """The name of a data set and its `data_root`, both unchanged unless `dataset` is a path; and the problem with it, or "".

    One's own data set is added to specs.DATASETS when it is first named.
    """
    registry.load()  # so that the data set of an installed package is not taken for one's own
    known = DATASETS.get(dataset)
    if not dataset or (known is not None and (known.layout != "own" or data_root)):
        return dataset, data_root, ""
    try:
        return _recognised(dataset, data_root)
    except (OSError, ValueError, RuntimeError):  # not a path at all: too long, with null characters, an unknown home folder
        return dataset, data_root, ""


def _recognised(dataset: str, data_root: str) -> tuple[str, str, str]:
    if _is_path(dataset):
        name = name_of(dataset)
        place = Path(dataset).expanduser().absolute()
        if data_root and Path(data_root).expanduser().absolute() != place:
            return dataset, data_root, f"dataset: found {dataset!r}, a path, and data_root {data_root!r}; leave data_root out"
        if not place.exists():
            return dataset, data_root, f"dataset: found {dataset!r}, but {place} does not exist; give {FORMS}"
        if _is_taken(name):
            return dataset, data_root, f"dataset: found {dataset!r}, which would get the name of a published data set; rename it"
        data_root = dataset
    elif data_root and name_of(data_root) == dataset and not _is_taken(dataset):
        name = dataset
    else:
        return dataset, data_root, ""
    DATASETS[name] = spec_of(name)
    return name, data_root, ""


def name_of(path: str | Path) -> str:
    """The name of the data set in a file or folder: letters, digits, dots, dashes and underscores."""
    file = Path(path).expanduser()
    stem = file.stem if file.suffix.lower() == TABLE else file.resolve().name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-")[:100] or "own"


def _is_path(dataset: str) -> bool:
    text = dataset.lower()
    return text.endswith(TABLE) or "/" in text or os.sep in text or text.startswith(("~", ".")) or _is_folder_of_images(dataset)


def _is_folder_of_images(dataset: str) -> bool:
    return not _is_taken(dataset) and Path(dataset).is_dir()


def _is_taken(name: str) -> bool:
    known = DATASETS.get(name.lower())
    return known is not None and known.layout != "own"
