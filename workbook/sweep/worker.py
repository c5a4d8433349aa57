"""The process that runs one cell: python -m workbook.sweep.worker '<the cell as JSON>'.

Its standard input is a pipe from the sweep that started it. The pipe ends when the sweep closes it or dies in any way; then this
process ends its kernel and itself at once.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

from workbook.sweep import cell
from workbook.sweep.cell import RUNNING, Job

TAKEN = 75  # exit status: another process has the cell (EX_TEMPFAIL of sysexits.h)
PATIENCE = 5  # seconds that papermill gets to kill its kernel; it usually takes half of one
PAUSE = 5  # seconds between two checks of a cell that another process has


def main(words: Sequence[str], execute: Callable[[Job], None] = cell.execute) -> int:
    """Runs the cell; returns the exit status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs a sweep in the background ignores it
    threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    try:
        return TAKEN if cell.run_cell(Job.from_json(words[0]), execute) == RUNNING else 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def settle(text: str) -> str:
    """Runs the cell as a cluster job; waits while another process has it. Returns its state, "done" or "failed"."""
    os.environ["FSCLIB_HEADLESS"] = "1"
    while (found := cell.run_cell(Job.from_json(text))) == RUNNING:
        time.sleep(PAUSE)
    return found


def _end_with_the_sweep() -> None:
    os.read(0, 1)  # nothing is ever written, so this returns when the pipe ends
    os.kill(os.getpid(), signal.SIGINT)  # papermill kills its kernel on the way out
    time.sleep(PATIENCE)
    os._exit(1)  # and a kernel without papermill ends by itself


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
