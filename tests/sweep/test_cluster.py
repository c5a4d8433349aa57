"""The cells of a sweep as submitit jobs, with submitit's executor for this machine."""

import dataclasses
import math
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
from workbook.sweep.file import SLURM, SweepError


@pytest.fixture
def write(home):
    return partial(write_sweep, home)


@pytest.fixture
def small(write):
    """A sweep with a cell that can be trained and one that fails when it runs."""
    grids = [{"modules": ["none"]}, {"modules": "spatial", "device": "cuda:77"}]
    return sweep.read(write(grids=grids, seeds=[0], slurm={"timeout_min": 10, "slurm_partition": "gpu"}))


def test_jobs_have_the_same_results_as_workers(small):
    board = sweep.run(small, cluster="local")
    assert board["state"].tolist() == ["done", "failed"]
    assert runs.load("llcm", "small-none-seed0").finished
    assert "ValueError: device: found 'cuda:77'" in small.cells[1].error
    logs = small.cells[0].folder / "jobs"
    before = sorted(logs.iterdir())
    assert before
    assert sweep.run(small, cluster="local")["state"].tolist() == ["done", "failed"]  # nothing is left to submit
    assert sorted(logs.iterdir()) == before


def test_the_cell_of_a_crashed_job_counts_as_failed(small, monkeypatch):
    monkeypatch.setattr(cluster, "settle", os._exit)  # raises TypeError when called with the cell's text
    cluster.run(dataclasses.replace(small, cells=small.cells[:1]), "local", lambda: None)
    error = small.cells[0].error
    assert "before the cell did; its logs: " in error
    assert str(small.cells[0].folder / "jobs") in error


@pytest.mark.parametrize(
    ("options", "problem"), [({"timeout_min": "long"}, "timeout_min"), ({"colour": 3}, "colour"), ({"slurm_colour": 3}, "colour")]
)
def test_options_invalid_for_submitit_are_refused_before_submission(small, options, problem, capsys):
    with pytest.raises(ClusterError, match=problem):
        sweep.run(dataclasses.replace(small, slurm=options), cluster="local")
    assert [cell.error for cell in small.cells] == ["", ""]
    assert "waiting" not in capsys.readouterr().out  # no board is drawn


def test_without_submitit_the_error_names_the_extra(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ClusterError, match=r"pip install 'fsclib\[slurm\]'"):
        sweep.run(small, cluster="slurm")


@pytest.mark.parametrize("name", ["cpus_per_task", "slurm_cpus_per_task"])
def test_srun_is_given_the_number_of_cores_of_a_job(small, name, tmp_path, monkeypatch):
    """It does not inherit the number from the job."""
    slurm = pytest.importorskip("submitit").SlurmExecutor
    monkeypatch.setattr(slurm, "affinity", classmethod(lambda cls: 1))  # as if srun were here
    executor = slurm(tmp_path)
    parameters = cluster._parameters(dataclasses.replace(small, slurm={name: 8}), "slurm")
    executor.update_parameters(srun_args=parameters["slurm_srun_args"], cpus_per_task=8)
    text = executor._make_submission_file_text("run", "id")
    assert re.search(r"^srun .*--cpus-per-task=8 ", text, re.M)
    assert "slurm_srun_args" not in cluster._parameters(dataclasses.replace(small, slurm={name: 8}), "local")
    assert "slurm_srun_args" not in cluster._parameters(small, "slurm")


EXAMPLES = {int: 2, float: 1.5, str: "1G", bool: True}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in SLURM.items() for kind in kinds])
def test_every_accepted_option_makes_a_job_script(name, kind, tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")
    from submitit.core.utils import DelayedSubmission

    monkeypatch.setattr(submitit.SlurmExecutor, "affinity", classmethod(lambda cls: 1))  # as if srun were installed
    executor = submitit.AutoExecutor(tmp_path, cluster="slurm")
    executor.update_parameters(**{"timeout_min": 5, name: EXAMPLES[kind]})
    slurm = executor._executor
    assert "#SBATCH" in slurm._make_submission_file_text("run", "id")
    DelayedSubmission(print).set_timeout(slurm.parameters["time"], 3)  # which submitit does for each job of an array


@pytest.mark.parametrize(
    ("name", "value"),
    [("slurm_time", "1:00:00"), ("mem_gb", "32"), ("mem_gb", math.inf), ("slurm_max_num_timeout", 3), ("slurm_use_srun", "false"),
     ("timeout_min", True), ("nodes", 1.5), ("slurm_partition", 7), ("slurm_mem", ""), ("cpus_per_task", -1)],
)  # fmt: skip
def test_options_of_the_wrong_type_are_refused_when_the_file_is_read(write, name, value):
    with pytest.raises(SweepError) as caught:
        sweep.read(write(grids=[{"modules": ["none"]}], seeds=[0], slurm={name: value}))
    (problem,) = caught.value.problems
    assert re.match(rf"slurm, '?{name}'?: ", problem)
