"""Runs the cells of a sweep as cluster jobs, through submitit: one job array per data set.

A job runs its cell as a local worker would, under the same lock, so results/ must be on a drive that all nodes share and on which
flock works between them (NFS does; Lustre when mounted with `flock`). submitit keeps scripts and logs in
results/<dataset>/<sweep>/jobs/. With "local" it runs all jobs at once on this machine, for tests.
"""

import time
from collections.abc import Callable
from itertools import groupby
from types import ModuleType
from typing import Any

from fsclib.system.disk_space import make_folder
from fsclib.system.errors import FsclibError
from workbook.sweep.cell import WAITING, fail, state
from workbook.sweep.grid import Sweep
from workbook.sweep.worker import settle

CLUSTERS = ("slurm", "local")
PAUSE = 1  # seconds between two checks of the jobs; submitit asks the scheduler less often
MINUTES = 24 * 60  # time limit of a job unless the sweep file has timeout_min: submitit's own default is five minutes


class ClusterError(FsclibError, RuntimeError):
    """A cluster that cannot be used, or options that submitit does not know."""


def run(sweep: Sweep, kind: str, tick: Callable[[], None]) -> None:
    """Submits the waiting cells and waits for their jobs; `tick` is called about once a second.

    Ctrl-C cancels the jobs. If this process dies in another way, with its terminal for example, they go on; `--status` shows them.
    Errors: ValueError for an unknown kind, ClusterError if the jobs cannot be submitted.
    """
    if kind not in CLUSTERS:
        raise ValueError(f"cluster: found {kind!r}, expected one of {', '.join(CLUSTERS)}")
    submitit = _submitit()
    cells = [cell for cell in sweep.cells if state(cell) == WAITING]  # a job for a running cell would idle on its GPU
    arrays = [(folder, list(part)) for folder, part in groupby(sorted(cells, key=lambda c: c.folder), lambda c: c.folder)]
    try:
        for folder, _ in arrays:
            make_folder(folder / "jobs", within=folder)
        executors = [submitit.AutoExecutor(folder / "jobs", cluster=kind) for folder, _ in arrays]
        for executor in executors:
            executor.update_parameters(**_parameters(sweep, kind))
    except (NameError, AssertionError, ValueError, RuntimeError, OSError) as error:  # raised by submitit for bad options
        raise ClusterError(f"submitit cannot use cluster {kind!r} with the options of {sweep.name}: {error}") from error
    jobs = {}
    try:
        for executor, (_, part) in zip(executors, arrays, strict=True):
            jobs |= zip((c.name for c in part), executor.map_array(settle, [c.to_json() for c in part]), strict=True)
        while not all(job.done() for job in jobs.values()):
            tick()
            time.sleep(PAUSE)
    except BaseException as error:  # Ctrl-C, or a scheduler that accepts only some jobs
        for job in jobs.values():
            job.cancel()
        if isinstance(error, (RuntimeError, OSError)):
            raise ClusterError(f"cluster {kind!r} refused the jobs of {sweep.name}, all were cancelled: {error}") from error
        raise
    for cell in cells:
        if state(cell) == WAITING:  # its job died: out of memory, or at its time limit
            job = jobs[cell.name]
            end = f"job {job.job_id} ended as {job.state} before the cell did; its logs: {job.paths.folder}"
            fail(cell, f"{job.stderr() or ''}\n{end}")
    tick()


def _parameters(sweep: Sweep, kind: str) -> dict[str, Any]:
    """The options passed to submitit."""
    asked = {"name": sweep.name, "timeout_min": MINUTES} | sweep.slurm
    cores = asked.get("slurm_cpus_per_task", asked.get("cpus_per_task"))
    if kind == "slurm" and cores is not None:  # srun does not inherit it from the job, and would use one core
        asked["slurm_srun_args"] = [f"--cpus-per-task={cores}"]
    return asked


def _submitit() -> ModuleType:
    try:
        import submitit
    except ImportError as error:
        raise ClusterError("submitit, which submits jobs, is not installed: pip install 'fsclib[slurm]'") from error
    return submitit
