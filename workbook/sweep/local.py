"""Runs the cells of a sweep on this machine: one process per cell, several at a time, each with its share of cores and GPUs."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

import torch

from fsclib.config.strict import AUTO
from fsclib.data.pixels.decoding import usable_cores
from fsclib.system import children
from workbook.sweep.cell import DONE, FAILED, WAITING, Job, fail, state
from workbook.sweep.worker import PATIENCE, TAKEN

PROGRAM = (sys.executable, "-P", "-m", "workbook.sweep.worker")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
PAUSE = 0.25  # seconds between two checks of the workers


@dataclass(frozen=True)
class Worker:
    """A process that runs a cell, and its output."""

    job: Job
    process: subprocess.Popen
    output: IO[bytes]


def default_workers() -> int:
    """One per GPU, or one per two cores without a GPU: a convolution gains little from more cores, and a kernel sometimes needs
    one for itself."""
    return torch.cuda.device_count() or max(1, usable_cores() // 2)


def run(jobs: Sequence[Job], workers: int, tick: Callable[[], None], program: Sequence[str] = PROGRAM) -> None:
    """Runs the waiting cells in order, and waits for those that another sweep runs; `tick` is called a few times a second.

    When it ends, by an exception, by Ctrl-C or by the death of this process, its workers and their kernels end too.
    """
    waiting, running = list(jobs), {}
    try:
        while True:
            for slot in range(workers):
                if slot in running and running[slot].process.poll() is not None:
                    worker = running.pop(slot)
                    if _taken(worker):
                        waiting.append(worker.job)
                if slot not in running and (job := _next(waiting)):
                    running[slot] = _start(job, program, surroundings(job, slot, workers))
            tick()
            if not waiting and not running:
                return
            time.sleep(PAUSE)
    finally:
        _end(running.values())


def surroundings(job: Job, slot: int, workers: int) -> dict[str, str]:
    """The environment of the worker in a slot, 0 … workers − 1: its share of cores and, unless the job names a device, a GPU."""
    share = str(max(1, usable_cores() // workers))
    own = dict.fromkeys(THREADS, share) | {"FSCLIB_HEADLESS": "1"}
    if (count := torch.cuda.device_count()) and job.parameters.get("device", AUTO) == AUTO:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
        own["CUDA_VISIBLE_DEVICES"] = visible.split(",")[slot % count]
    return os.environ | own


def _next(waiting: list[Job]) -> Job | None:
    """Removes settled cells from the list, and removes and returns the first one that can run."""
    for job in tuple(waiting):
        found = state(job)
        if found in (DONE, FAILED, WAITING):
            waiting.remove(job)
        if found == WAITING:
            return job
    return None


def _start(job: Job, program: Sequence[str], environment: dict[str, str]) -> Worker:
    output = tempfile.TemporaryFile()  # noqa: SIM115  it is closed with the worker
    process = children.start([*program, job.to_json()], stdout=output, stderr=subprocess.STDOUT, env=environment)
    return Worker(job, process, output)


def _taken(worker: Worker) -> bool:
    """Whether another process had the cell. A cell whose worker died, out of memory for example, is marked as failed."""
    status = worker.process.returncode
    with worker.process.stdin, worker.output:
        if status not in (0, TAKEN) and state(worker.job) != DONE:
            worker.output.seek(0)
            text = worker.output.read().decode(errors="replace")
            cause = f"signal {-status}; out of memory?" if status < 0 else f"exit status {status}"
            fail(worker.job, f"{text}\nthe process that ran this cell ended with {cause}")
    return status == TAKEN


def _end(workers: Sequence[Worker]) -> None:
    children.end([worker.process for worker in workers], PATIENCE + 1)
    for worker in workers:
        worker.output.close()
