"""Starts processes that train together, as a user would, with torchrun on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ONE_MACHINE = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {"OMP_NUM_THREADS": "1"}


def command(count: int, words: Sequence[str], options: Sequence[str] = ("--standalone",)) -> list[str]:
    """torchrun with so many processes, of the module and its arguments in `words`."""
    return [sys.executable, "-m", "torch.distributed.run", *options, f"--nproc-per-node={count}", "-m", *words]


def start(arguments: Sequence[str], **environment: str) -> subprocess.Popen:
    """Starts a command in the repository, what it prints going into one pipe."""
    return subprocess.Popen(
        arguments, cwd=REPOSITORY, env=os.environ | ONE_MACHINE | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def torchrun(count: int, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs a module in so many processes to its end, whatever that is."""
    arguments = command(count, words)
    process = start(arguments, **environment)
    text, _ = process.communicate(timeout=300)
    return subprocess.CompletedProcess(arguments, process.returncode, text)


def words_of(config: dict) -> list[str]:
    """A configuration as words of the command line."""
    return [word for name, value in config.items() for word in (f"--{name.replace('_', '-')}", json.dumps(value).strip('"'))]


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout
    return [int(number) for number in found.split()]
