"""Starts several training processes on this machine from a process that does not train, such as a notebook kernel.

torchrun starts fresh Python processes, because a process that has used a GPU cannot be forked. They inherit torchrun's standard
input, the pipe of system/children.py, and so end with the process that started torchrun.
"""

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import torch

from fsclib.config import Config
from fsclib.data.pixels.decoding import usable_cores
from fsclib.system import children
from fsclib.system.processes import started

logger = logging.getLogger(__name__)

STARTED = "FSCLIB_STARTED"  # environment variable that marks a child
FAILURE = re.compile(r"^fsclib failed: (\".*\")$", re.M)  # line on standard error with the reason of a failure, as JSON
LINES = 20  # last lines of output to show if no child gave a reason
PAUSE = 1  # seconds between two checks of the parent process
PATIENCE = 10  # seconds for children to end, and for a failed one to report before the others


def run(config: Config) -> str:
    """Trains with `devices` processes and logs the output of process 0; returns why they failed, "" if they succeeded.

    The children end with this call, whether by an exception, Ctrl-C, or the death of this process.
    Errors: ValueError for more processes than GPUs.
    """
    number, gpus = config.devices, torch.cuda.device_count()
    if config.device != "cpu" and 0 < gpus < number:
        raise ValueError(f"devices: found {number}, but torch sees {gpus} GPUs; pass devices={gpus}, or device=cpu")
    words = [word for name, value in config.to_dict().items() for word in (f"--{name}", repr(value))]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:  # unnamed: deleted when all have closed it
        program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
        process = children.start(
            [*program, "--nproc-per-node", str(number), "-m", "fsclib.training", *words],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            env=surroundings(number) | {STARTED: "1"},
        )
        try:
            assert process.stdout  # a pipe
            for line in process.stdout:
                logger.info(line.removesuffix("\n"))
            status = process.wait()
        finally:
            children.end([process], PATIENCE)
        if status == 0:
            return ""
        errors.seek(0)
        said = errors.read()
        if failure := FAILURE.search(said):  # the first failure
            return json.loads(failure[1])
        return "\n".join([*said.splitlines()[-LINES:], f"the training processes ended with exit status {status}"])


def surroundings(number: int) -> dict[str, str]:
    """The environment of `number` children: they share the cores and communicate only within this machine."""
    own = {"OMP_NUM_THREADS": str(max(1, usable_cores() // number)), "FSCLIB_HEADLESS": "1", "PYTHONUNBUFFERED": "1"}
    if sys.platform == "linux":
        own |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    return os.environ | own


def end_with_the_starter() -> None:
    """Called in a process under torchrun: exits when torchrun, or the process that started torchrun, has ended."""
    if started() > 1:
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    if STARTED in os.environ:
        children.end_with_parent()


def explain(error: Exception) -> None:
    """Called in a child: reports why it failed to the process that started it."""
    if STARTED in os.environ:
        os.write(2, f"\nfsclib failed: {json.dumps(str(error))}\n".encode())  # in one call, since other processes write there too


def stand_back(error: Exception) -> None:
    """Ends a process that stopped only because another failed; waits first, so that the other one reports its reason."""
    time.sleep(PATIENCE)  # torchrun reports the process that ends first and ends the others
    explain(error)
    sys.exit(str(error))


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PAUSE)
    os._exit(1)
