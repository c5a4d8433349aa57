"""Progress of long jobs: a bar in interactive sessions, a few printed lines otherwise.

A notebook is interactive if the front end of the running cell could answer `input()`: JupyterLab and VS Code can, papermill and
nbconvert cannot. Outside notebooks a session is interactive if standard error is a terminal. The environment variable
FSCLIB_HEADLESS, 1 or 0, overrides both.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any

SECONDS_BETWEEN_LINES = 60  # a log read afterwards needs to show how far a long job got, not each step


def watched() -> bool:
    """Whether the session is interactive; False if in doubt, because a log full of bars is worse than no bar."""
    if headless := os.environ.get("FSCLIB_HEADLESS"):
        return headless == "0"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        return False
    if kernel := notebook_kernel():
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stderr is not None and sys.stderr.isatty()


def notebook_kernel() -> Any:
    """The Jupyter kernel that runs this code, None outside notebooks."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None)


def progress(work: Iterable | int, description: str, *, shown: bool = True, passing: bool = False):
    """Show the progress of a job: iterate over the result, or give a total and call `.update(n)`.

    work         what to iterate over, or the total number of units
    description  what is being done, "decoding LLCM"
    shown        False: no output at all
    passing      the bar disappears when it is full, and no lines are printed: the caller prints the result

    Returns a tqdm bar or a `Lines`, which prints instead; both are context managers with `update(n)`, `set_postfix_str(text)` and
    `close()`.
    """
    iterable, total = (None, work) if isinstance(work, int) else (work, len(work) if isinstance(work, Sized) else None)
    if shown and watched():
        from tqdm.auto import tqdm

        return tqdm(iterable, desc=description, total=total, dynamic_ncols=True, leave=not passing)
    return Lines(iterable, description, total, shown and not passing)


class Lines:
    """A substitute for a tqdm bar that prints a line every minute and one at the end."""

    def __init__(self, iterable: Iterable | None, description: str, total: int | None, shown: bool = True):
        self.iterable, self.description, self.total, self.shown = iterable, description, total, shown
        self.n, self.postfix = 0, ""
        self.start = self.printed = time.monotonic()

    def __iter__(self) -> Iterator:
        with self:
            for item in self.iterable:
                yield item
                self.update()

    def update(self, n: int = 1) -> None:
        self.n += n
        if time.monotonic() - self.printed > SECONDS_BETWEEN_LINES and self.n != self.total:
            self._print()

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        self.postfix = text

    def close(self) -> None:
        """Print the last line; later calls do nothing."""
        if self.shown:
            self._print()
            self.shown = False

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _print(self) -> None:
        self.printed = time.monotonic()
        seconds = self.printed - self.start
        done = f"{self.n}" if self.total in (None, self.n) else f"{self.n} of {self.total}"
        rate = f", {self.n / seconds:.1f}/s" if seconds > 1 else ""
        if self.shown:
            postfix = f", {self.postfix}" if self.postfix else ""
            print(f"{self.description}: {done} in {seconds:.0f} s{rate}{postfix}", flush=True)
