"""Starts the library's programs as a user does, on a small corpus."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import conftest

REPOSITORY = Path(__file__).parents[2]
TINY = conftest.TINY | {"dataset": "llcm", "epochs": 2, "decay": 1}


def start(home: Path, *words: object, environment: Mapping[str, str] = {}) -> subprocess.Popen:
    """Starts python -m <words>, or python -c <text>, with data and results below `home`."""
    first, *rest = map(str, words)
    program = ["-c"] if first == "-c" else ["-m", first]
    own = {"FSCLIB_HOME": str(home), "FSCLIB_HEADLESS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        [sys.executable, *program, *rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | own | environment,
    )


def end(process: subprocess.Popen) -> tuple[int, str, str]:
    """Waits for a started program; returns its exit status, output and errors."""
    try:
        out, errors = process.communicate(timeout=900)
    finally:
        process.kill()  # if it is still running
    return process.returncode, out, errors


def training(name: str, **values: Any) -> list[str]:
    """The words for `start` of a training that takes seconds."""
    given = TINY | values | {"name": name}
    return ["fsclib.training", *(word for key, value in given.items() for word in (f"--{key}", str(value)))]


def until(condition: Callable[[], Any], process: subprocess.Popen | None = None, seconds: float = 600) -> None:
    """Waits for a condition; fails after `seconds`, or if `process`, which should bring it about, has ended."""
    limit = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "timed out"
        time.sleep(0.01)


def is_one_message(errors: str) -> bool:
    """Whether a program ended with a message and not with a traceback."""
    return bool(errors.strip()) and "Traceback" not in errors
