"""The sweep board shows the state of each cell: redrawn in a terminal, updated in a notebook or printed line by line."""

import io
import os
from functools import partial

import pandas as pd
import pytest
from sweeping import write_sweep

from fsclib import runs
from fsclib.system.locks import locked
from workbook.sweep import board, read
from workbook.sweep.cell import fail

STATES = pd.DataFrame(
    [("a", "done", "8/8", 1.5, ""), ("b", "running", "3/8", 0.5, ""), ("c", "failed", "0/8", 0.0, "ValueError: no"),
     ("d", "waiting", "0/8", 0.0, "")],
    columns=board.COLUMNS,
)  # fmt: skip


@pytest.fixture
def write(home):
    return partial(write_sweep, home)


@pytest.fixture
def sweep(write):
    """Six cells: one done, one running with one epoch, one failed, three waiting."""
    found = read(write())
    done, running, failed = found.cells[:3]
    run = runs.begin(done.config, {"data_hash": "d", "precision": "float32"})
    for epoch in range(2):
        run.add_to_log({"epoch": epoch, "seconds": 45.0})
    run.finish({"select_on": "last"})
    runs.begin(running.config, {"data_hash": "d", "precision": "float32"}).add_to_log({"epoch": 0, "seconds": 30.0})
    fail(failed, "ValueError: many words\nand the last line")
    with locked(running.lock, None):
        yield found


def test_the_board_has_one_row_per_cell(sweep):
    found = board.table(sweep)
    assert list(found.columns) == ["cell", "state", "epochs", "minutes", "error"]
    assert found["cell"].tolist() == [cell.name for cell in sweep.cells]
    assert found["state"].tolist() == ["done", "running", "failed", *["waiting"] * 3]
    assert found["epochs"].tolist() == ["2/2", "1/2", *["0/2"] * 4]
    assert found["minutes"].tolist() == [1.5, 0.5, 0, 0, 0, 0]
    assert found["error"].tolist() == ["", "", "and the last line", "", "", ""]
    assert board.counts(found) == "1 of 6 done, 1 running, 1 failed, 3 waiting"


def test_counts_omit_empty_states():
    assert board.counts(STATES[:1]) == "1 of 1 done"
    assert board.counts(STATES[2:]) == "0 of 2 done, 1 failed, 1 waiting"


def test_text_fits_the_terminal_and_keeps_running_and_failed_cells():
    whole = board.text(STATES, 6, 200).splitlines()
    assert len(whole) == 6
    assert whole[0].split() == list(board.COLUMNS)
    assert whole[3].split() == ["c", "failed", "0/8", "0.0", "ValueError:", "no"]
    assert whole[-1] == "1 of 4 done, 1 running, 1 failed, 1 waiting"
    short = board.text(STATES, 5, 12).splitlines()
    assert [line.split()[0] for line in short] == ["cell", "b", "c", "…", "1"]
    assert short[3] == "… and 2 more"
    assert max(map(len, short)) <= 12


def test_each_change_prints_a_line_without_a_terminal(sweep, capsys):
    live = board.Live(sweep)
    live.update()
    assert capsys.readouterr().out == "1 of 6 done, 1 running, 1 failed, 3 waiting\n"
    live.draw()
    assert capsys.readouterr().out == ""
    fail(sweep.cells[3], "OSError: no space")
    live.update()
    assert capsys.readouterr().out == ""  # it checked a moment ago
    live.draw()
    counts = "1 of 6 done, 1 running, 2 failed, 2 waiting"
    assert capsys.readouterr().out == f"{sweep.cells[3].name}: failed, OSError: no space ({counts})\n"


def test_a_terminal_is_redrawn_in_place_and_only_after_a_change(sweep, monkeypatch):
    monkeypatch.setenv("FSCLIB_HEADLESS", "0")
    monkeypatch.setattr(board.sys, "stderr", io.StringIO())
    monkeypatch.setattr(board.shutil, "get_terminal_size", lambda: os.terminal_size((80, 24)))
    live = board.Live(sweep)
    for _ in range(3):
        live.draw()
    first = board.sys.stderr.getvalue()
    assert first.count("\x1b[J") == 1
    assert "\x1b[8A" not in first
    fail(sweep.cells[3], "OSError: no space")
    live.draw()
    second = board.sys.stderr.getvalue()[len(first) :]
    assert second.startswith("\x1b[8A\r\x1b[J")  # heading, six cells, counts
    assert second.endswith("1 of 6 done, 1 running, 2 failed, 2 waiting\n")
    assert max(map(len, second.splitlines()[1:])) < 80


def test_a_notebook_has_one_output_that_is_updated(sweep, monkeypatch):
    shown = []

    class Handle:
        def update(self, data, raw):
            shown.append(data)

    monkeypatch.setenv("FSCLIB_HEADLESS", "0")
    monkeypatch.setattr(board, "notebook_kernel", object)
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: Handle())
    live = board.Live(sweep)
    live.draw()
    fail(sweep.cells[3], "OSError: <no> space")
    live.draw()
    assert len(shown) == 2
    assert shown[1]["text/plain"].endswith("1 of 6 done, 1 running, 2 failed, 2 waiting")
    assert "<td>OSError: &lt;no&gt; space</td>" in shown[1]["text/html"]
