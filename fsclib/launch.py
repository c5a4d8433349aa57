"""Processes that train together on this machine, started from one that does not, such as the kernel of a notebook.

A child of torchrun's is a Python of its own: a process that has used a GPU cannot be forked. The children share a pipe from the
process that started them as standard input. It ends when that process dies, however it dies, and they end with it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import torch

from fsclib.config import Config
from fsclib.data.decoding import usable_cores
from fsclib.meeting import started

STARTED = "FSCLIB_STARTED"  # environment of a child: that it is one
FAILURE = re.compile(r"^fsclib failed: (\".*\")$", re.M)  # the line of its errors that says why it fails, as JSON
LINES = 20  # of what children printed last, where none says why it failed
PAUSE = 1  # seconds between two looks at the process above
PATIENCE = 10  # seconds for children to end, and for one that has failed to be heard before the others


def run(config: Config) -> str:
    """Trains with `devices` processes, whose first prints here what it prints; returns why they failed, "" if they did not.

    However it is left, by an exception, by Ctrl-C, by the death of this process, the children end with it.
    Errors: ValueError for more processes than GPUs.
    """
    number, gpus = config.devices, torch.cuda.device_count()
    if config.device != "cpu" and 0 < gpus < number:
        raise ValueError(f"devices: found {number}, but torch sees {gpus} GPUs here; pass devices={gpus}, or device=cpu")
    words = [word for name, value in config.to_dict().items() for word in (f"--{name}", repr(value))]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:  # nameless, gone with the last who has it open
        program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
        process = subprocess.Popen(
            [*program, "--nproc-per-node", str(number), "-m", "fsclib.train", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            env=surroundings(number) | {STARTED: "1"},
            start_new_session=True,  # so that Ctrl-C comes to this process alone, which ends them in order
        )
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
            status = process.wait()
        finally:
            _end(process)
        if status == 0:
            return ""
        errors.seek(0)
        said = errors.read()
        if failure := FAILURE.search(said):  # the first that failed
            return json.loads(failure[1])
        return "\n".join([*said.splitlines()[-LINES:], f"the processes that train ended with exit status {status}"])


def surroundings(number: int) -> dict[str, str]:
    """The environment of so many children: the cores are shared, and nothing is heard from outside this machine."""
    own = {"OMP_NUM_THREADS": str(max(1, usable_cores() // number)), "FSCLIB_HEADLESS": "1", "PYTHONUNBUFFERED": "1"}
    if sys.platform == "linux":
        own |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    return os.environ | own


def end_with_the_starter() -> None:
    """In a process that torchrun has started: ends it when torchrun, or the process that started that, has died or given up."""
    if started() > 1:
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    if STARTED in os.environ:
        threading.Thread(target=_watch_pipe, daemon=True).start()


def explain(error: Exception) -> None:
    """In a child: leaves word of why it failed, for the process that started it."""
    if STARTED in os.environ:
        os.write(2, f"\nfsclib failed: {json.dumps(str(error))}\n".encode())  # at once: the others write there, too


def stand_back(error: Exception) -> None:
    """Ends a process that has stopped because another has, after that one, unless nobody else says anything."""
    time.sleep(PATIENCE)  # torchrun reports the one that ends first, and ends the others
    explain(error)
    sys.exit(str(error))


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PAUSE)
    os._exit(1)


def _watch_pipe() -> None:
    os.read(0, 1)  # nothing is ever written: it returns at the end of the pipe
    os._exit(1)


def _end(process: subprocess.Popen) -> None:
    process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
