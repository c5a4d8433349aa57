"""Sweep workers on this machine run each cell once, in order, despite failures, kills and concurrent sweeps."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from sweeping import processes, stub_jobs
from waiting import until

from fsclib.system.locks import held, locked
from workbook.sweep import local
from workbook.sweep.cell import state

STUB = (sys.executable, str(Path(__file__).with_name("stub.py")))


@pytest.fixture
def jobs(tmp_path):
    return partial(stub_jobs, tmp_path / "results")


@pytest.fixture
def in_background():
    with processes() as start:
        yield start


def run(jobs, workers=1, tick=lambda: None):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # processes in the background of a shell ignore it
    local.run(jobs, workers, tick, STUB)


def ledger(jobs) -> list[str]:
    file = jobs[0].folder / "ledger.txt"
    return file.read_text().split() if file.exists() else []


def hold(lock):
    with locked(lock, None):
        time.sleep(600)


def states(jobs) -> list[str]:
    return [state(job) for job in jobs]


def test_one_worker_runs_the_cells_in_order(jobs):
    cells = jobs({}, {}, {})
    run(cells)
    assert ledger(cells) == [cell.name for cell in cells]
    assert states(cells) == ["done"] * 3


def test_a_failed_cell_does_not_affect_the_others(jobs):
    cells = jobs({}, {}, {"end": "error"}, {}, {})
    run(cells, workers=2)
    assert states(cells) == ["done", "done", "failed", "done", "done"]
    run(cells)
    assert len(ledger(cells)) == 5
    cells[2].error_file.unlink()
    run(cells)
    assert ledger(cells)[5:] == [cells[2].name]


def test_the_cell_of_a_killed_worker_fails_with_its_last_output(jobs):
    cells = jobs({"end": "death"}, {})
    run(cells)
    assert states(cells) == ["failed", "done"]
    assert cells[0].error == "last output\nthe process that ran this cell ended with signal 9; out of memory?\n"


def test_a_killed_sweep_resumes_where_it_stopped(jobs, in_background):
    cells = jobs({}, {"seconds": 600}, {})
    sweep = in_background(run, cells)
    until(lambda: len(ledger(cells)) == 2)
    os.kill(sweep.pid, signal.SIGKILL)
    until(lambda: not held(cells[1].lock))
    assert states(cells) == ["done", "waiting", "waiting"]
    before = (cells[0].run_folder / "metrics.json").stat().st_mtime_ns

    cells[1].parameters["seconds"] = 0
    run(cells)
    assert states(cells) == ["done"] * 3
    assert (cells[0].run_folder / "metrics.json").stat().st_mtime_ns == before
    assert ledger(cells) == [cells[n].name for n in (0, 1, 1, 2)]


def test_interruption_ends_the_workers_at_once(jobs, in_background):
    cells = jobs({"seconds": 600}, {"seconds": 600}, {})
    sweep = in_background(run, cells, 2)
    until(lambda: len(ledger(cells)) == 2)
    os.kill(sweep.pid, signal.SIGINT)
    until(lambda: sweep.exitcode is not None)
    assert sweep.exitcode == 1  # KeyboardInterrupt
    assert not any(held(cell.lock) for cell in cells)
    assert states(cells) == ["waiting"] * 3


def test_two_concurrent_sweeps_run_each_cell_once(jobs, in_background):
    cells = jobs(*[{"seconds": 0.3}] * 6)
    sweeps = [in_background(run, cells) for _ in range(2)]
    for sweep in sweeps:
        sweep.join()
        assert sweep.exitcode == 0
    assert sorted(ledger(cells)) == [cell.name for cell in cells]
    assert states(cells) == ["done"] * 6


def test_a_run_locked_by_a_dying_kernel_is_waited_for(jobs, in_background):
    cells = jobs({})
    lock = cells[0].run_folder.with_name(f".{cells[0].name}.lock")
    kernel = in_background(hold, lock)
    until(lambda: held(lock))
    sweep = in_background(run, cells)
    sweep.join(1)
    assert sweep.is_alive()
    assert ledger(cells) == []
    kernel.kill()
    sweep.join()
    assert states(cells) == ["done"]


def test_an_error_in_the_board_ends_the_workers(jobs):
    cells = jobs({"seconds": 600})

    def tick():
        if ledger(cells):
            raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="the terminal is gone"):
        run(cells, tick=tick)
    assert not held(cells[0].lock)


@pytest.mark.parametrize(("workers", "share"), [(1, "8"), (3, "2"), (8, "1"), (20, "1")])
def test_workers_share_the_cores(jobs, monkeypatch, workers, share):
    monkeypatch.setattr(local, "usable_cores", lambda: 8)
    monkeypatch.setattr(local.torch.cuda, "device_count", lambda: 0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    environment = local.surroundings(jobs({})[0], 0, workers)
    assert {environment[name] for name in local.THREADS} == {share}
    assert environment["FSCLIB_HEADLESS"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in environment
    assert local.default_workers() == 4


@pytest.mark.parametrize(("visible", "chosen"), [("", ["0", "1", "0"]), ("3,5", ["3", "5", "3"])])
def test_workers_share_the_gpus_unless_the_cell_names_one(jobs, monkeypatch, visible, chosen):
    monkeypatch.setattr(local.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    own, named = jobs({}, {"device": "cuda:1"})
    assert [local.surroundings(own, slot, 3)["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == chosen
    assert local.surroundings(named, 0, 3)["CUDA_VISIBLE_DEVICES"] == visible
    assert local.default_workers() == 2
