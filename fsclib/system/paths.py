"""Folders of data and results, independent of the working directory, and names that are passed over in them."""

import os
from pathlib import Path

from fsclib.system.errors import FsclibError


class HomeError(FsclibError, OSError):
    """FSCLIB_HOME is in the home folder of a user who has none."""


def home() -> Path:
    """The folder that holds data/ and results/: $FSCLIB_HOME, else the checkout of this package, else the working directory.

    Errors: HomeError if $FSCLIB_HOME begins with ~ or ~user and there is no such home folder.
    """
    if named := os.environ.get("FSCLIB_HOME"):
        user = named.partition(os.sep)[0]
        if user.startswith("~") and not Path(os.path.expanduser(user)).is_dir():  # noqa: PTH111 -- Path raises for unknown users
            found = f"found {named!r}, but {user} has no home folder"
            raise HomeError(f"FSCLIB_HOME: {found}; set it to the full path of a folder")
        return Path(named).expanduser().resolve()
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


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or made by macOS beside those of an archive; such names are never images of people."""
    return name.startswith(".") or name == "__MACOSX"
