"""Starts processes that train together: as a user would, or as forks of the test, in a tenth of the time."""

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from fsclib import runs
from fsclib.runs import Run
from fsclib.training.distributed import launch

REPOSITORY = Path(__file__).parents[3]
ONE_MACHINE = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {"OMP_NUM_THREADS": "1"}

TRAINING = {
    "dataset": "llcm", "scale": "tiny", "stages": 3, "height": 64, "width": 24, "identities": 4, "images": 2, "epochs": 3,
    "validate_every": 1, "select_on": "holdout", "decay": "2", "workers": 1, "precision": "float32", "device": "cpu",
}  # fmt: skip


def start(arguments: Sequence[str], **environment: str) -> subprocess.Popen:
    """Starts a command in the repository, with stdout and stderr in one pipe."""
    return subprocess.Popen(
        arguments, cwd=REPOSITORY, env=os.environ | ONE_MACHINE | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def training(values: dict) -> list[str]:
    """The command that trains with this configuration."""
    return [sys.executable, "-u", "-m", "fsclib.training", *words_of(values)]


def together(count: int, *words: str) -> str:
    """Runs a module in `count` processes until they end; returns why they failed."""
    with contextlib.chdir(REPOSITORY):
        return launch.together([sys.executable, "-m", *words], count, print)


def forked(count: int, function: Callable[..., Any], *arguments: Any) -> list[int]:
    """Exit codes of `count` forks of this process that train together, each calling `function`."""
    context = multiprocessing.get_context("fork")  # torch is imported already
    with tempfile.TemporaryDirectory() as folder:
        members = [ONE_MACHINE | launch.member(f"{folder}/store", process, count) for process in range(count)]
        processes = [context.Process(target=_member, args=(member, function, arguments)) for member in members]
        for process in processes:
            process.start()
        for process in processes:
            process.join(300)
            process.kill()
    return [process.exitcode for process in processes]


def _member(environment: dict[str, str], function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    os.environ |= environment
    torch.set_num_threads(1)
    function(*arguments)


def words_of(config: dict) -> list[str]:
    """A configuration as command-line arguments."""
    return [word for name, value in config.items() for word in (f"--{name.replace('_', '-')}", json.dumps(value).strip('"'))]


def children(process: int, word: str = "") -> list[int]:
    """The ids of a process's children whose command lines contain `word`."""
    found = subprocess.run(["pgrep", "-P", str(process), "-f", word], capture_output=True, text=True, check=False).stdout
    return [int(number) for number in found.split()]


def load(name: str) -> Run:
    """The run of this name, of the data set of TRAINING."""
    return runs.load("llcm", name, device="cpu", workers=1)
