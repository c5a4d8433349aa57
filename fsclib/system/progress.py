"""Progress of long jobs: a bar in interactive sessions, a few logged lines otherwise.

A notebook is interactive if the front end of the running cell could answer `input()`: JupyterLab and VS Code can, papermill and
nbconvert cannot. Outside notebooks a session is interactive if standard error is a terminal. The environment variable
FSCLIB_HEADLESS, 1 or 0, overrides both.
"""

import io
import logging
import os
import sys
from collections.abc import Iterable, Sized
from typing import Any

from tqdm import tqdm

logger = logging.getLogger(__name__)

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


def progress(work: Iterable | int, description: str, *, shown: bool = True, passing: bool = False) -> tqdm:
    """Show the progress of a job: iterate over the result, or give a total and call `.update(n)`.

    work         what to iterate over, or the total number of units
    description  what is being done, "decoding LLCM"
    shown        False: no output at all
    passing      the bar disappears when it is full, and no lines are logged: the caller logs the result

    Returns a tqdm bar, which is a context manager with `update(n)` and `close()`.
    """
    iterable, total = (None, work) if isinstance(work, int) else (work, len(work) if isinstance(work, Sized) else None)
    if shown and watched():
        from tqdm.auto import tqdm as bar  # in a notebook, a widget

        return bar(iterable, desc=description, total=total, dynamic_ncols=True, leave=not passing)
    seldom = {"mininterval": SECONDS_BETWEEN_LINES, "maxinterval": SECONDS_BETWEEN_LINES, "miniters": 1}
    return Lines(iterable, description, total, disable=passing or not shown, file=io.StringIO(), **seldom)


class Lines(tqdm):
    """A tqdm bar that logs a line a minute and one at the end, and draws nothing."""

    monitor_interval = 0  # no thread, which would refresh a bar that has not moved

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Logs the state, unless the final line, for which tqdm gives a position, would repeat it."""
        if pos is None and self.n in (0, self.total):
            return
        seconds = self.format_dict["elapsed"]
        done = f"{self.n}" if self.total in (None, self.n) else f"{self.n} of {self.total}"
        rate = f", {self.n / seconds:.1f}/s" if seconds > 1 else ""
        logger.info(f"{self.desc}: {done} in {seconds:.0f} s{rate}")
