"""Folders of data and results, independent of the working directory."""

import os
from pathlib import Path


def home() -> Path:
    """The folder that holds data/ and results/: $FSCLIB_HOME, else the checkout of this package, else the working directory."""
    if os.environ.get("FSCLIB_HOME"):
        return Path(os.environ["FSCLIB_HOME"]).expanduser().resolve()
    return checkout()


def checkout() -> Path:
    """The folder that holds notebooks/ and sweeps/: the checkout of this package, else the working directory."""
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").exists() else Path.cwd()


def data_dir() -> Path:
    """The folder of the data sets: data/SYSU-MM01, data/RegDB, data/LLCM, data/demo."""
    return home() / "data"


def cache_dir() -> Path:
    """The cache of decoded pixels, which may be deleted at any time."""
    return data_dir() / "cache"


def results_dir() -> Path:
    """The folder of the runs: results/<dataset>/<name>/."""
    return home() / "results"
