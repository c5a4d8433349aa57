"""The process that runs one cell: python -m workbook.sweep.worker '<the cell as JSON>'.

It ends its kernel and itself at once when the sweep that started it ends it or dies in any way.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

from fsclib.system import children
from workbook.sweep import cell
from workbook.sweep.cell import RUNNING, Job

TAKEN = 75  # exit status: another process has the cell (EX_TEMPFAIL of sysexits.h)
PATIENCE = 5  # seconds that papermill gets to kill its kernel; it usually takes half of one
PAUSE = 5  # seconds between two checks of a cell that another process has


def main(words: Sequence[str], execute: Callable[[Job], None] = cell.execute) -> int:
    """Runs the cell; returns the exit status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs a sweep in the background sets it to be ignored
    children.end_with_parent(PATIENCE)  # interrupted, papermill kills its kernel; a kernel without papermill ends by itself
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
