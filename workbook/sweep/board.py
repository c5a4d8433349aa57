"""The board of a sweep: one row per cell with its state, and the counts of all states.

It is shown live: redrawn in place in a terminal, updated as one output in a notebook, and without an interactive front end printed
as one line per change of a cell's state.
"""

import shutil
import sys
import time
from collections.abc import Callable

import pandas as pd

from fsclib.runs import Run, RunError
from fsclib.system.progress import notebook_kernel, watched
from workbook.sweep.cell import DONE, FAILED, RUNNING, STATES, WAITING, state
from workbook.sweep.grid import Cell, Sweep

SECONDS = 2  # between two checks of all cells; the board is redrawn only if something has changed
COLUMNS = ("cell", "state", "epochs", "minutes", "error")


def table(sweep: Sweep) -> pd.DataFrame:
    """One row per cell: cell, its name; state, one of cell.STATES; epochs, done and total, "3/8"; minutes of training so far,
    float; error, the last line of the error of a failed cell."""
    return pd.DataFrame([_row(cell) for cell in sweep.cells], columns=COLUMNS)


def counts(table: pd.DataFrame) -> str:
    """ "12 of 30 done, 2 running, 1 failed, 15 waiting", without zero counts."""
    found = table["state"].value_counts()
    others = [f"{found[name]} {name}" for name in STATES if name != DONE and name in found]
    return ", ".join([f"{found.get(DONE, 0)} of {len(table)} done", *others])


class Live:
    """Checks the cells at intervals and shows changes."""

    def __init__(self, sweep: Sweep):
        self.sweep, self.due, self.last = sweep, 0.0, None
        self.show = _notebook() if watched() and notebook_kernel() else _terminal() if watched() else _lines()

    def update(self) -> None:
        """Shows changes if it is time to; call it as often as you like."""
        if time.monotonic() >= self.due:
            self.draw()
            self.due = time.monotonic() + SECONDS

    def draw(self) -> None:
        """Shows the present state, unless it is shown already."""
        found = table(self.sweep)
        if not found.equals(self.last):
            self.show(found)
            self.last = found


def text(table: pd.DataFrame, lines: int, columns: int) -> str:
    """The board in at most `lines` lines of at most `columns` characters. If not all cells fit, running and failed ones come first,
    then waiting ones, then those that are done."""
    shown = table
    if len(table) + 2 > lines:  # the heading and the counts
        first = table["state"].isin([RUNNING, FAILED])
        shown = pd.concat([table[first], table[table["state"] == WAITING], table[table["state"] == DONE]]).head(max(1, lines - 3))
    body = _aligned(shown)
    hidden = [f"… and {len(table) - len(shown)} more"] if len(shown) < len(table) else []
    return "\n".join(line[:columns] for line in [*body, *hidden, counts(table)])


def _row(cell: Cell) -> tuple[str, str, str, float, str]:
    found = state(cell)
    error = "".join(cell.error.splitlines()[-1:]) if found == FAILED else ""
    try:
        log = Run(cell.run_folder, cell.config).log()
    except RunError as problem:  # an unreadable run is reported when the cell runs
        return cell.name, found, f"?/{cell.config.epochs}", 0.0, error or str(problem)
    minutes = round(float(log["seconds"].sum()) / 60, 1) if "seconds" in log else 0.0
    return cell.name, found, f"{len(log)}/{cell.config.epochs}", minutes, error


def _aligned(table: pd.DataFrame) -> list[str]:
    texts = [[name, *(f"{value:.1f}" if name == "minutes" else value for value in table[name])] for name in table]
    widths = [max(map(len, column)) for column in texts]
    rows = zip(*texts, strict=True)
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _lines() -> Callable[[pd.DataFrame], None]:
    before: dict[str, str] = {}

    def show(table: pd.DataFrame) -> None:
        if not before:
            print(counts(table), flush=True)
        for name, found, error in table[["cell", "state", "error"]].itertuples(index=False):
            if before.get(name, found) != found:
                print(f"{name}: {found}{f', {error}' if error else ''} ({counts(table)})", flush=True)
            before[name] = found

    return show


def _terminal() -> Callable[[pd.DataFrame], None]:
    drawn = 0

    def show(table: pd.DataFrame) -> None:
        nonlocal drawn
        size = shutil.get_terminal_size()
        board = text(table, size.lines - 1, size.columns - 1)  # a line that fills the last column would wrap
        up = f"\x1b[{drawn}A" if drawn else ""
        sys.stderr.write(f"{up}\r\x1b[J{board}\n")  # in one piece: no half-drawn board is ever seen
        sys.stderr.flush()
        drawn = board.count("\n") + 1

    return show


def _notebook() -> Callable[[pd.DataFrame], None]:
    from IPython.display import display

    handle = display({"text/plain": ""}, raw=True, display_id=True)

    def show(table: pd.DataFrame) -> None:
        html = f"{table.to_html(index=False, float_format='{:.1f}'.format)}<p>{counts(table)}</p>"
        handle.update({"text/plain": text(table, len(table) + 2, 1000), "text/html": html}, raw=True)

    return show
