"""The board of a sweep: one row a cell with what it is doing, and how many do what.

Shown live: in a terminal redrawn in its place, in a notebook as one output that is updated, and where nobody watches as one printed
line for each change of a cell's state.
"""

import shutil
import sys
import time
from collections.abc import Callable

import pandas as pd

from fsclib.progress import notebook_kernel, watched
from fsclib.runs import Run, RunError
from fsclib.sweep.cell import DONE, FAILED, RUNNING, STATES, WAITING, state
from fsclib.sweep.grid import Cell, Sweep

SECONDS = 2  # between two looks at all cells; the board is drawn only if something has changed
COLUMNS = ("cell", "state", "epochs", "minutes", "error")


def table(sweep: Sweep) -> pd.DataFrame:
    """A row a cell: cell, its name; state, one of cell.STATES; epochs, "3/8" done of all; minutes of training so far, float;
    error, the last line of what failed."""
    return pd.DataFrame([_row(cell) for cell in sweep.cells], columns=COLUMNS)


def counts(table: pd.DataFrame) -> str:
    """ "12 of 30 done, 2 running, 1 failed, 15 waiting", without what is none."""
    found = table["state"].value_counts()
    others = [f"{found[name]} {name}" for name in STATES if name != DONE and name in found]
    return ", ".join([f"{found.get(DONE, 0)} of {len(table)} done", *others])


class Live:
    """Looks at the cells now and then, and shows what has changed."""

    def __init__(self, sweep: Sweep):
        self.sweep, self.due, self.last = sweep, 0.0, None
        self.show = _notebook() if watched() and notebook_kernel() else _terminal() if watched() else _lines()

    def update(self) -> None:
        """To be called as often as one likes."""
        if time.monotonic() >= self.due:
            self.close()
            self.due = time.monotonic() + SECONDS

    def close(self) -> None:
        """Show how things stand now."""
        found = table(self.sweep)
        if not found.equals(self.last):
            self.show(found)
            self.last = found


def text(table: pd.DataFrame, lines: int, columns: int) -> str:
    """The board in at most `lines` lines of at most `columns` characters. Where not all cells fit, those that run or have failed
    come before those that are done or wait."""
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
    except RunError as problem:  # the cell's own concern, when it runs
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
