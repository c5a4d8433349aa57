"""Forks of the test: they start in a tenth of the time of a program, because everything is imported already."""

import multiprocessing
import os
import runpy
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

FORK = multiprocessing.get_context("fork")


class Fork:
    """A fork of this process that calls a function; has what tests use of Popen. Its outputs share a pipe unless they are apart."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, apart: bool = False):
        read, write = zip(*(os.pipe() for _ in range(1 + apart)), strict=True)
        self._process = FORK.Process(target=_call, args=(write, function, arguments), daemon=True)  # ends with this process
        self._process.start()
        for output in write:
            os.close(output)
        self.stdout, self.stderr = os.fdopen(read[0]), os.fdopen(read[1]) if apart else None
        self.pid, self.kill = self._process.pid, self._process.kill

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while the process runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float) -> int | None:
        """Waits for the end; fails if that takes longer."""
        self._process.join(timeout)
        assert self.returncode is not None, "still running"
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Waits for the end; returns what was printed and has not been read."""
        found = self.stdout.read(), self.stderr.read() if self.stderr else ""
        self.wait(timeout)
        return found


def program(module: str, *words: str) -> None:
    """Does what `python -m module words…` does."""
    sys.argv = [module, *words]
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # that the module is already imported
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _call(outputs: Sequence[int], function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    os.dup2(outputs[0], 1)
    os.dup2(outputs[-1], 2)
    for output in outputs:
        os.close(output)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)  # pytest has replaced them
    function(*arguments)
