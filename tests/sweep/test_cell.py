"""The state of a cell, and that a cell is run by one process at a time, with all its ends told apart."""

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


def test_a_cell_that_waits_is_run_and_done(jobs):
    (job,) = jobs({})
    assert state(job) == "waiting"
    assert run_cell(job, execute) == "done" == state(job)
    assert not held(job.lock)


def test_a_cell_that_is_done_or_has_failed_is_not_run_again(jobs):
    done, failed = jobs({}, {"end": "error"})
    for _ in range(2):
        assert run_cell(done, execute) == "done"
        assert run_cell(failed, execute) == "failed"
    assert (done.folder / "ledger.txt").read_text().split() == [done.name, failed.name]


def test_a_notebook_that_fails_behind_its_training_has_failed_and_says_so(jobs):
    (job,) = jobs({"end": "late"})
    assert run_cell(job, execute) == "failed" == state(job)
    assert "a figure could not be drawn" in job.error
    job.error_file.unlink()  # as --retry does
    assert state(job) == "done"


def test_the_last_lines_of_an_error_are_kept(jobs):
    (job,) = jobs({"end": "error"})
    run_cell(job, execute)
    assert job.error == "RuntimeError: a long story\nand its last line\n"
    fail(job, "\n".join(f"line {number}\n" for number in range(100)))
    assert job.error.splitlines() == [f"line {number}" for number in range(100 - LINES, 100)]


def test_a_notebook_that_ends_without_a_result_has_failed(jobs):
    (job,) = jobs({"end": "nothing"})
    assert run_cell(job, execute) == "failed"
    assert "ended without an error and without" in job.error
    assert str(job.run_folder / "metrics.json") in job.error


def test_a_cell_that_another_process_has_is_left_to_it(jobs):
    (job,) = jobs({})
    with locked(job.lock, None):
        assert state(job) == "running"
        assert run_cell(job, execute) == "running"
    assert state(job) == "waiting"
    assert not (job.folder / "ledger.txt").exists()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_that_is_held_counts_as_running(tiny, tmp_path, seed, jobs):
    """By a person who trains under the name of the cell, or by the kernel of a sweep that has just been killed."""
    (job,) = jobs({"name": f"s-0-seed{seed}"})
    with runs.alone(tiny(name=job.name), tmp_path / "results"):
        assert state(job) == "running"
        assert run_cell(job, execute) == "running"
    assert run_cell(job, execute) == "done"


def test_nobody_reading_a_state_leaves_a_trace(jobs):
    (job,) = jobs({})
    assert state(job) == "waiting"
    assert list(job.folder.iterdir()) == []


def test_the_process_that_runs_a_cell_needs_no_torch():
    """It waits beside a kernel that has imported all of it."""
    heavy = "{'torch', 'pandas', 'matplotlib'}"
    program = f"import sys, workbook.sweep.worker; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
