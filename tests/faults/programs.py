"""The programs of the library as a user starts them, over a small corpus."""

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
    """python -m <words>, or python -c <text>, with its data and results below home."""
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
    """Exit status, output and errors of a program that was started."""
    try:
        out, errors = process.communicate(timeout=900)
    finally:
        process.kill()  # if it is still there
    return process.returncode, out, errors


def training(name: str, **values: Any) -> list[str]:
    """The words of a training of seconds."""
    given = TINY | values | {"name": name}
    return ["fsclib.training", *(word for key, value in given.items() for word in (f"--{key}", str(value)))]


def until(condition: Callable[[], Any], process: subprocess.Popen | None = None, seconds: float = 600) -> None:
    """Waits for a condition; an assertion fails if it does not come about, or the process that should bring it about has ended."""
    limit = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "what was waited for did not come about"
        time.sleep(0.01)


def is_one_message(errors: str) -> bool:
    """Whether a program ended with what it has to say, and not with a traceback."""
    return bool(errors.strip()) and "Traceback" not in errors
