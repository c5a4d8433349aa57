"""The cells of a sweep as jobs of a cluster, through submitit: one job array a data set.

A job runs its cell as a worker of this machine would, under the same lock, so results/ has to lie on a drive that all nodes share
and on which flock holds between them (NFS does; Lustre when mounted with `flock`). submitit keeps scripts and logs in
results/<dataset>/<sweep>/jobs/. With "local" it runs the jobs on this machine, all at once: for tests.
"""

import time
from collections.abc import Callable
from itertools import groupby
from types import ModuleType
from typing import Any

from fsclib.sweep.cell import WAITING, fail, state
from fsclib.sweep.grid import Sweep
from fsclib.sweep.worker import settle

CLUSTERS = ("slurm", "local")
PAUSE = 1  # seconds between two looks at the jobs; submitit asks the scheduler itself more rarely
MINUTES = 24 * 60  # of a job, unless the sweep file has timeout_min: submitit's own default is five minutes


class ClusterError(RuntimeError):
    """A cluster that cannot be used, or options that submitit does not know."""


def run(sweep: Sweep, kind: str, tick: Callable[[], None]) -> None:
    """Submits the cells that wait and waits for their jobs; `tick` is called about once a second.

    Ctrl-C cancels the jobs. If this process dies otherwise, with its terminal for example, they go on; `--status` shows them.
    Errors: ValueError for an unknown kind, ClusterError if the jobs cannot be submitted.
    """
    if kind not in CLUSTERS:
        raise ValueError(f"cluster: found {kind!r}, expected one of {', '.join(CLUSTERS)}")
    submitit = _submitit()
    cells = [cell for cell in sweep.cells if state(cell) == WAITING]  # a job for one that runs would sleep on its GPU
    arrays = [(folder, list(part)) for folder, part in groupby(sorted(cells, key=lambda c: c.folder), lambda c: c.folder)]
    try:
        executors = [submitit.AutoExecutor(folder / "jobs", cluster=kind) for folder, _ in arrays]
        for executor in executors:
            executor.update_parameters(**_parameters(sweep, kind))
    except (NameError, AssertionError, ValueError, RuntimeError, OSError) as error:  # what submitit says of its options
        raise ClusterError(f"submitit cannot use cluster {kind!r} with the options of {sweep.name}: {error}") from error
    jobs = {}
    try:
        for executor, (_, part) in zip(executors, arrays, strict=True):
            jobs |= zip((c.name for c in part), executor.map_array(settle, [c.to_json() for c in part]), strict=True)
        while not all(job.done() for job in jobs.values()):
            tick()
            time.sleep(PAUSE)
    except BaseException as error:  # Ctrl-C, or a scheduler that takes some jobs and not others
        for job in jobs.values():
            job.cancel()
        if isinstance(error, (RuntimeError, OSError)):
            raise ClusterError(f"cluster {kind!r} does not take the jobs of {sweep.name}, none is left there: {error}") from error
        raise
    for cell in cells:
        if state(cell) == WAITING:  # its job died: of memory, or of its time limit
            job = jobs[cell.name]
            end = f"job {job.job_id} ended as {job.state} before the cell did; its logs: {job.paths.folder}"
            fail(cell, f"{job.stderr() or ''}\n{end}")
    tick()


def _parameters(sweep: Sweep, kind: str) -> dict[str, Any]:
    """What submitit is asked for."""
    asked = {"name": sweep.name, "timeout_min": MINUTES} | sweep.slurm
    cores = asked.get("slurm_cpus_per_task", asked.get("cpus_per_task"))
    if kind == "slurm" and cores is not None:  # srun does not take it from the job, and would give it one core
        asked["slurm_srun_args"] = [f"--cpus-per-task={cores}"]
    return asked


def _submitit() -> ModuleType:
    try:
        import submitit
    except ImportError as error:
        raise ClusterError("submitit is not installed, which submits jobs: pip install 'fsclib[slurm]'") from error
    return submitit
