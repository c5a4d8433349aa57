"""Safe reading of small files from untrusted sources.

Unexpected content raises OSError or ValueError: it must not exhaust memory, block on a pipe or raise other errors from inside a
parser. No content is executed.
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

LARGEST = 1 << 26  # bytes; the log of ten thousand epochs is a thirtieth of that
LEVELS = 8  # of nested lists and objects; our own files have four
COLUMNS = 1000  # of a table; our own have a few dozen


def regular(file: Path) -> Path:
    """Returns the path unchanged. Errors: OSError if it does not exist or is not a regular file: reading a pipe would block."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(file))
    return file


def read_bytes(file: Path, largest: int = LARGEST) -> bytes:
    """The content of a file. Errors: OSError, also if it has more than `largest` bytes."""
    if (size := regular(file).stat().st_size) > largest:
        raise OSError(errno.EFBIG, f"has {size:,} bytes, expected at most {largest:,}", str(file))
    return file.read_bytes()


def read_text(file: Path, largest: int = LARGEST) -> str:
    """The content of a UTF-8 text file. Errors: as read_bytes; ValueError if it is not UTF-8."""
    return read_bytes(file, largest).decode("utf-8")


def read_json(file: Path, largest: int = LARGEST) -> Any:
    """The content of a JSON file. Errors: as read_text; ValueError for invalid JSON, repeated keys or more than LEVELS levels."""
    try:
        found = json.loads(read_text(file, largest), object_pairs_hook=_table)
    except RecursionError:
        raise ValueError(f"is nested too deeply, expected at most {LEVELS} levels") from None
    layer, level = [found], 0
    while layer := [child for one in layer if isinstance(one, (dict, list)) for child in _children(one)]:
        if (level := level + 1) > LEVELS:
            raise ValueError(f"has more than {LEVELS} levels of nesting")
    return found


def read_csv(file: Path, **options: Any) -> "pd.DataFrame":
    """A CSV table with a header; `options` are those of pandas.read_csv. Errors: as read_bytes; ValueError for an invalid table."""
    import pandas as pd  # not at the top: a sweep's workers read no tables and need not load it

    content = read_bytes(file)
    if (widest := 1 + max((line.count(b",") for line in content.splitlines()), default=0)) > COLUMNS:
        raise ValueError(f"has {widest:,} columns, expected at most {COLUMNS:,}")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(io.BytesIO(content), index_col=False, **options)  # else longer rows would shift the columns
        except pd.errors.ParserWarning as error:
            raise ValueError(f"has rows of different lengths ({error})") from error
        except pd.errors.ParserError as error:  # its message ends with a newline
            raise ValueError(str(error).strip()) from error


def _table(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(entries)) < len(entries):
        twice = next(name for name, number in Counter(name for name, _ in entries).items() if number > 1)
        raise ValueError(f"has the key {twice[:100]!r} twice")
    return found


def _children(value: dict | list) -> Any:
    return value.values() if isinstance(value, dict) else value
