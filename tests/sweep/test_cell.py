"""The state of a cell; a cell is run by one process at a time, and its possible outcomes are told apart."""

import subprocess
import sys
from functools import partial

import pytest
from stub import execute
from sweeping import stub_jobs

from fsclib import runs
from fsclib.system.locks import held, locked
from workbook.sweep.cell import LINES, fail, run_cell, state


@pytest.fixture
def jobs(tmp_path):
    return partial(stub_jobs, tmp_path / "results")


def test_a_waiting_cell_is_run(jobs):
    (job,) = jobs({})
    assert state(job) == "waiting"
    assert run_cell(job, execute) == "done" == state(job)
    assert not held(job.lock)


def test_a_done_or_failed_cell_is_not_run_again(jobs):
    done, failed = jobs({}, {"end": "error"})
    for _ in range(2):
        assert run_cell(done, execute) == "done"
        assert run_cell(failed, execute) == "failed"
    assert (done.folder / "ledger.txt").read_text().split() == [done.name, failed.name]


def test_a_notebook_that_fails_after_its_training_counts_as_failed(jobs):
    (job,) = jobs({"end": "late"})
    assert run_cell(job, execute) == "failed" == state(job)
    assert "a figure could not be drawn" in job.error
    job.error_file.unlink()  # as --retry does
    assert state(job) == "done"


def test_the_last_lines_of_an_error_are_kept(jobs):
    (job,) = jobs({"end": "error"})
    run_cell(job, execute)
    assert job.error == "RuntimeError: first line\nand last line\n"
    fail(job, "\n".join(f"line {number}\n" for number in range(100)))
    assert job.error.splitlines() == [f"line {number}" for number in range(100 - LINES, 100)]


def test_a_notebook_that_ends_without_a_result_counts_as_failed(jobs):
    (job,) = jobs({"end": "nothing"})
    assert run_cell(job, execute) == "failed"
    assert "ended without an error and without" in job.error
    assert str(job.run_folder / "metrics.json") in job.error


def test_a_cell_that_another_process_runs_is_left_alone(jobs):
    (job,) = jobs({})
    with locked(job.lock, None):
        assert state(job) == "running"
        assert run_cell(job, execute) == "running"
    assert state(job) == "waiting"
    assert not (job.folder / "ledger.txt").exists()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_cell_whose_run_is_locked_counts_as_running(tiny, tmp_path, seed, jobs):
    """Locked by a training of the same name, or by the kernel of a sweep that was just killed."""
    (job,) = jobs({"name": f"s-0-seed{seed}"})
    with runs.alone(tiny(name=job.name), tmp_path / "results"):
        assert state(job) == "running"
        assert run_cell(job, execute) == "running"
    assert run_cell(job, execute) == "done"


def test_reading_the_state_creates_no_files(jobs):
    (job,) = jobs({})
    assert state(job) == "waiting"
    assert list(job.folder.iterdir()) == []


def test_the_process_that_runs_a_cell_needs_no_torch():
    """It only waits for a kernel, which imports torch itself."""
    heavy = "{'torch', 'pandas', 'matplotlib'}"
    program = f"import sys, workbook.sweep.worker; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
