"""Starts several training processes on this machine from a process that does not train, such as a notebook kernel.

They are fresh Python processes, because a process that has used a GPU cannot be forked, and end with this one: system/children.py.
They meet in a file that only this user can read, and communicate over the loopback interface, which no other machine reaches.
"""

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from fsclib.config import Config
from fsclib.data.pixels.decoding import usable_cores
from fsclib.system import children
from fsclib.system.processes import RENDEZVOUS

logger = logging.getLogger(__name__)

STARTED = "FSCLIB_STARTED"  # environment variable that marks a child
FAILURE = re.compile(r"^fsclib failed: (\".*\")$", re.M)  # line on standard error with the reason of a failure, as JSON
LINES = 20  # last lines of output to show if no child gave a reason
PAUSE = 0.1  # seconds between two checks of the children
PATIENCE = 10  # seconds for children to end, and for a failed one to report before the others


def run(config: Config) -> str:
    """Trains with `devices` processes and logs the output of process 0; returns why they failed, "" if they succeeded.

    Errors: ValueError for more processes than GPUs.
    """
    number, gpus = config.devices, torch.cuda.device_count()
    if config.device != "cpu" and 0 < gpus < number:
        raise ValueError(f"devices: found {number}, but torch sees {gpus} GPUs; pass devices={gpus}, or device=cpu")
    words = [word for name, value in config.to_dict().items() for word in (f"--{name}", repr(value))]
    return together([sys.executable, "-P", "-u", "-m", "fsclib.training", *words], number, logger.info)


def together(command: Sequence[str], number: int, show: Callable[[str], object]) -> str:
    """Runs a command in `number` processes that train together; returns why they failed, "" if they succeeded.

    The processes end with this call, whether by an exception, Ctrl-C, or the death of this process, and when one of them fails.
    show: called with each line that process 0 prints.
    """
    processes = []
    with (
        tempfile.TemporaryDirectory(prefix="fsclib-") as folder,  # mode 700
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,  # unnamed: deleted when all have closed it
    ):
        try:
            for process in range(number):
                output = errors if process else subprocess.PIPE
                around = surroundings(number) | member(f"{folder}/store", process, number) | {STARTED: "1"}
                processes.append(children.start(command, stdout=output, stderr=errors, env=around))
            for line in _lines(processes):
                show(line)
            failed = [_end(index, process.returncode) for index, process in enumerate(processes) if process.returncode]
        finally:
            children.end(processes, PATIENCE)
        if not failed:
            return ""
        errors.seek(0)
        said = errors.read()
    if failure := FAILURE.search(said):  # the first failure
        return json.loads(failure[1])
    return "\n".join([*said.splitlines()[-LINES:], *failed])


def member(rendezvous: str, process: int, count: int) -> dict[str, str]:
    """The environment variables of one of `count` processes on this machine that meet at `rendezvous`."""
    return {RENDEZVOUS: rendezvous, "RANK": str(process), "LOCAL_RANK": str(process), "WORLD_SIZE": str(count)}


def surroundings(number: int) -> dict[str, str]:
    """The environment of `number` children: they share the cores and communicate only within this machine."""
    loopback = "lo" if sys.platform == "linux" else "lo0"
    own = {"OMP_NUM_THREADS": str(max(1, usable_cores() // number)), "FSCLIB_HEADLESS": "1"}
    sockets = {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": f"={loopback}"}  # without "=" NCCL reads it as a prefix
    return os.environ | own | sockets


def end_with_the_starter() -> None:
    """Called in a training process: ends it with the process that started it here, and removes the file where they met."""
    if STARTED in os.environ:
        children.end_with_parent(last=_remove_store)


def explain(error: Exception) -> None:
    """Called in a child: reports why it failed to the process that started it."""
    if STARTED in os.environ:
        os.write(2, f"\nfsclib failed: {json.dumps(str(error))}\n".encode())  # in one call, since other processes write there too


def stand_back(error: Exception) -> None:
    """Ends a process that stopped only because another failed; waits first, so that the other one reports its reason."""
    time.sleep(PATIENCE)  # the process that started them ends all when the first has failed
    explain(error)
    sys.exit(str(error))


def _lines(processes: Sequence[subprocess.Popen]) -> Iterator[str]:
    """The lines that process 0 prints until all have ended or one has failed."""
    output, rest, over = processes[0].stdout, b"", False
    assert output  # a pipe
    os.set_blocking(output.fileno(), False)
    while not over:
        statuses = [process.poll() for process in processes]  # before reading, so that nothing printed before the end is lost
        over = None not in statuses or any(statuses)
        *lines, rest = (rest + (output.read() or b"")).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
        time.sleep(0 if over else PAUSE)
    if rest:
        yield rest.decode(errors="replace")


def _end(process: int, status: int) -> str:
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
    return f"process {process} of the training {how}"


def _remove_store() -> None:
    store = Path(os.environ[RENDEZVOUS])
    with contextlib.suppress(OSError):  # the others do the same
        store.unlink(missing_ok=True)
        store.parent.rmdir()
