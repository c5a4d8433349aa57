"""The same cells as jobs, by submitit's executor for this machine."""

import dataclasses
import os
import re
import sys
from functools import partial

import pytest
from sweeping import write_sweep

from fsclib import runs
from workbook import sweep
from workbook.sweep import cluster
from workbook.sweep.cluster import ClusterError


@pytest.fixture
def write(home):
    return partial(write_sweep, home)


@pytest.fixture
def small(write):
    """A cell that can be trained and one that fails when it runs."""
    grids = [{"modules": ["none"]}, {"modules": "spatial", "device": "cuda:77"}]
    return sweep.read(write(grids=grids, seeds=[0], slurm={"timeout_min": 10, "slurm_partition": "gpu"}))


def test_jobs_leave_what_workers_leave(small):
    board = sweep.run(small, cluster="local")
    assert board["state"].tolist() == ["done", "failed"]
    assert runs.load("llcm", "small-none-seed0").finished
    assert "ValueError: device: found 'cuda:77'" in small.cells[1].error
    logs = small.cells[0].folder / "jobs"
    before = sorted(logs.iterdir())
    assert before
    assert sweep.run(small, cluster="local")["state"].tolist() == ["done", "failed"]  # nothing is left to submit
    assert sorted(logs.iterdir()) == before


def test_a_job_that_breaks_has_failed(small, monkeypatch):
    monkeypatch.setattr(cluster, "settle", os._exit)  # which the text of the cell is no argument for
    cluster.run(dataclasses.replace(small, cells=small.cells[:1]), "local", lambda: None)
    error = small.cells[0].error
    assert "before the cell did; its logs: " in error
    assert str(small.cells[0].folder / "jobs") in error


@pytest.mark.parametrize(
    ("options", "problem"), [({"timeout_min": "long"}, "timeout_min"), ({"colour": 3}, "colour"), ({"slurm_colour": 3}, "colour")]
)
def test_options_that_submitit_does_not_know_are_refused_before_anything_is_submitted(small, options, problem, capsys):
    with pytest.raises(ClusterError, match=problem):
        sweep.run(dataclasses.replace(small, slurm=options), cluster="local")
    assert [cell.error for cell in small.cells] == ["", ""]
    assert "waiting" not in capsys.readouterr().out  # no board is drawn


def test_without_submitit_the_error_names_the_extra(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ClusterError, match=r"pip install 'fsclib\[slurm\]'"):
        sweep.run(small, cluster="slurm")


@pytest.mark.parametrize("name", ["cpus_per_task", "slurm_cpus_per_task"])
def test_srun_is_told_how_many_cores_a_job_has(small, name, tmp_path, monkeypatch):
    """It does not take them from the job by itself."""
    slurm = pytest.importorskip("submitit").SlurmExecutor
    monkeypatch.setattr(slurm, "affinity", classmethod(lambda cls: 1))  # as if srun were here
    executor = slurm(tmp_path)
    asked = cluster._parameters(dataclasses.replace(small, slurm={name: 8}), "slurm")
    executor.update_parameters(srun_args=asked["slurm_srun_args"], cpus_per_task=8)
    text = executor._make_submission_file_text("run", "id")
    assert re.search(r"^srun .*--cpus-per-task=8 ", text, re.M)
    assert "slurm_srun_args" not in cluster._parameters(dataclasses.replace(small, slurm={name: 8}), "local")
    assert "slurm_srun_args" not in cluster._parameters(small, "slurm")
