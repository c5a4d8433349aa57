"""Sweeps as a user runs them, with papermill and real kernels: runs, failures, and resuming after a kill."""

import json
import os
import re
import signal
from functools import partial

import pytest
from ending import message
from sweeping import FIXED, processes, write_sweep
from waiting import until

from fsclib import runs
from fsclib.data.pixels.decoding import usable_cores
from workbook import sweep
from workbook.sweep import __main__ as command
from workbook.sweep import local
from workbook.sweep.cell import state

FAILS = {"modules": "spatial", "device": "cuda:77"}  # a valid parameter, but there is no such device at run time


@pytest.fixture
def write(home):
    return partial(write_sweep, home)


@pytest.fixture
def in_background():
    with processes() as start:
        yield start


def printed(notebook) -> str:
    cells = json.loads(notebook.read_text())["cells"]
    return "".join("".join(output.get("text", "")) for cell in cells for output in cell.get("outputs", ()))


def test_a_sweep_from_its_file_to_its_runs(write, home, capsys):
    file = write(grids=[{"modules": "frequency,channel"}, FAILS], seeds=[0])
    assert command.main([str(file), "--workers", "2"]) == 1
    out = capsys.readouterr().out
    results = home / "results" / "llcm"
    assert out.startswith("0 of 2 done, 2 waiting\n")
    assert "\n1 of 2 done, 1 failed\n" in out
    assert f"small-spatial-cuda.77-seed0 failed; its notebook: {results}/small/small-spatial-cuda.77-seed0.ipynb" in out
    assert "ValueError: device: found 'cuda:77', but torch sees" in out
    assert "\x1b" not in out
    name = "small-frequency.channel-seed0"
    run = runs.load("llcm", name)
    assert run.finished
    assert run.environment["threads"] == max(1, usable_cores() // 2)
    assert str(run.folder) in printed(results / "small" / f"{name}.ipynb")
    assert "epoch 2/2" in printed(results / "small" / f"{name}.ipynb")
    assert set(runs.table()["name"]) == {name}
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()}

    assert command.main([str(file)]) == 1  # nothing is left to run
    assert "1 of 2 done, 1 failed" in capsys.readouterr().out
    assert command.main([str(file), "--status"]) == 1
    assert re.search(r"^small-frequency.channel-seed0 +done +2/2 ", capsys.readouterr().out, re.MULTILINE)
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()} == before

    error = results / "small" / "small-spatial-cuda.77-seed0.error.txt"
    board = sweep.run(sweep.read(file), workers=1, retry=True)
    assert error.stat().st_mtime_ns > before[error]
    assert board["state"].tolist() == ["done", "failed"]
    assert all(path.stat().st_mtime_ns == before[path] for path in before if path.name == "metrics.json")


def test_networks_that_will_not_be_comparable_are_named_before_they_are_trained(write, capsys, monkeypatch):
    monkeypatch.setattr(command, "run", lambda *args, **options: None)
    for erase in (0.5, 0.6):
        file = write(grids=[{"network": "deen", "erase": 0.5}, {"network": "twostream", "erase": erase}], seeds=[0])
        command.main([str(file)])
        warned = capsys.readouterr().err
        assert ("erase 0.5 and 0.6" in warned) == (erase == 0.6)
        assert warned.startswith("warning: network: found networks on llcm with ") == (erase == 0.6)


def test_a_training_killed_with_its_sweep_resumes_at_its_last_epoch(write, in_background):
    """The killed sweep's kernel holds the lock of the run for another second or two; the new sweep waits for it."""
    found = sweep.read(write(grids=[{"modules": ["none"]}], seeds=[0], fixed=FIXED | {"epochs": 3, "device": "cpu"}))
    (cell,) = found.cells
    killed = in_background(local.run, found.cells, 2, lambda: None)  # two workers leave it half of the cores
    until(runs.Run(cell.run_folder, cell.config).checkpoint("last").exists, seconds=300)
    os.kill(killed.pid, signal.SIGKILL)
    assert state(cell) == "running"
    board = sweep.run(found, workers=2)
    assert board["state"].tolist() == ["done"]
    assert board["epochs"].tolist() == ["3/3"]
    assert "resuming after epoch" in printed(cell.executed)


def test_errors_are_printed_without_a_traceback(write):
    file = write(grids=[{"modul": ["none"]}])
    assert message("workbook.sweep", str(file)) == f"{file} cannot be run:\n  modul: no such parameter, did you mean 'modules'?"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"workers": 0}, "workers: found 0, expected at least 1"),
        ({"workers": 2, "cluster": "local"}, "found both workers and cluster"),
        ({"cluster": "pbs"}, "cluster: found 'pbs', expected one of slurm, local"),
    ],
)
def test_invalid_arguments_are_refused(write, values, problem):
    with pytest.raises(ValueError, match=problem):
        sweep.run(sweep.read(write()), **values)
