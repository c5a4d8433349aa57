"""Peak memory of one side of a case, measured in a separate process, since a peak covers the whole life of a process.

It counts what exceeds the idle process, which already holds the inputs: on a CPU resident memory, without what is mapped from files
(such as torch's own code, which is loaded piecemeal) unless the case is about mapped files; on a GPU what torch allocates.
"""

import contextlib
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmarks.case import Setting
from benchmarks.cases import CASES
from fsclib.system.device import peak_memory

CALLS = 2  # the first training step creates the momentum, which the second holds from its start
START = "forkserver" if sys.platform == "linux" else "spawn"  # forked from a process that has done nothing but import


def peak_megabytes(name: str, side: str, setting: Setting) -> float:
    """Megabytes (10⁶ bytes) above the idle process. Errors: RuntimeError if the measuring process dies."""
    context = get_context(START)
    if START == "forkserver":
        context.set_forkserver_preload(["fsclib.training.loop", "fsclib.figures", "torchvision"])
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(_measure, name, side, setting, torch.get_num_threads()).result()
    except BrokenProcessPool as error:
        raise RuntimeError(f"the process that measures the memory of {name}, {side}, has died, perhaps out of memory") from error


def _measure(name: str, side: str, setting: Setting, threads: int) -> float:
    torch.set_num_threads(threads)
    case = CASES[name]
    device = case.where(setting)
    inputs = case.inputs(setting)
    _forget(device)
    idle = peak_memory(device, case.mapped)
    work = case.work(side, setting, inputs)
    for _ in range(CALLS):
        work()
    return (peak_memory(device, case.mapped) - idle) / 1e6


def _forget(device: str) -> None:
    """Resets the peak to the memory held now."""
    if device == "cuda":
        torch.cuda.init()
        torch.cuda.reset_peak_memory_stats()
    elif sys.platform == "linux":
        with contextlib.suppress(OSError):  # where this is not permitted, the earlier peak counts
            Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
