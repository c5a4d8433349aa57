"""Small files that somebody else may have written, read without trust.

What no program of ours would have written is an OSError or a ValueError: not a machine without memory, not a process that waits at
a pipe, not an error of another kind from the middle of a parser. Nothing here runs what it reads.
"""

import errno
import io
import json
import stat
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 1 << 26  # bytes; the log of ten thousand epochs has a thirtieth of that
LEVELS = 8  # lists and tables within each other; our own files have four
COLUMNS = 1000  # of a table; our own have a few dozen


def regular(file: Path) -> Path:
    """The same path. Errors: OSError if there is no file, or something else, such as a pipe, at which reading would wait."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(file))
    return file


def read_bytes(file: Path, largest: int = LARGEST) -> bytes:
    """The whole file. Errors: OSError, also for one of more than `largest` bytes."""
    if (size := regular(file).stat().st_size) > largest:
        raise OSError(errno.EFBIG, f"has {size:,} bytes, expected at most {largest:,}", str(file))
    return file.read_bytes()


def read_text(file: Path, largest: int = LARGEST) -> str:
    """Text in UTF-8. Errors: as read_bytes; ValueError for other bytes."""
    return read_bytes(file, largest).decode("utf-8")


def read_json(file: Path, largest: int = LARGEST) -> Any:
    """Plain values. Errors: as read_text; ValueError for what is not JSON, names an entry twice, or has more than LEVELS levels."""
    try:
        found = json.loads(read_text(file, largest), object_pairs_hook=_table)
    except RecursionError:
        raise ValueError("is nested too deep for JSON of ours") from None
    layer, level = [found], 0
    while layer := [child for one in layer if isinstance(one, (dict, list)) for child in _children(one)]:
        if (level := level + 1) > LEVELS:
            raise ValueError(f"has more than {LEVELS} levels")
    return found


def read_csv(file: Path, **options: Any) -> "pd.DataFrame":
    """A table with a heading; `options` of pandas.read_csv. Errors: as read_bytes; ValueError for what is no such table."""
    import pandas as pd  # a sweep's worker reads no table, and should not weigh as much

    content = read_bytes(file)
    if (widest := 1 + max((line.count(b",") for line in content.splitlines()), default=0)) > COLUMNS:
        raise ValueError(f"has {widest:,} columns, expected at most {COLUMNS:,}")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(io.BytesIO(content), index_col=False, **options)  # without it, longer rows would move its columns
        except pd.errors.ParserWarning as error:
            raise ValueError(f"has rows of different lengths ({error})") from error
        except pd.errors.ParserError as error:  # its message ends with a new line
            raise ValueError(str(error).strip()) from error


def _table(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(entries)) < len(entries):
        twice = next(name for name, number in Counter(name for name, _ in entries).items() if number > 1)
        raise ValueError(f"has two entries {twice[:100]!r}")
    return found


def _children(value: dict | list) -> Any:
    return value.values() if isinstance(value, dict) else value
