"""Sweep files for a small corpus, jobs with stub notebooks, and processes that run beside a test."""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from workbook.sweep.cell import Job

FIXED = {
    "dataset": "llcm", "scale": "tiny", "stages": 3, "height": 64, "width": 24, "identities": 4, "images": 2, "epochs": 2,
    "validate_every": 1, "decay": "1", "workers": 1, "precision": "float32",
}  # fmt: skip


def write_sweep(folder: Path, name: str = "small", **content: Any) -> Path:
    """A sweep file of three rows and two seeds on the small corpus; `content` replaces its keys."""
    usual = {"fixed": FIXED, "grids": [{"modules": ["none", "frequency,channel"]}, {"modules": "spatial"}], "seeds": [0, 1]}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(usual | content, sort_keys=False))
    return file


def stub_jobs(results: Path, *parameters: dict[str, Any]) -> list[Job]:
    """One job for stub.py per set of parameters, named s-0-seed0, s-1-seed0, …"""
    folder = results / "llcm" / "s"
    folder.mkdir(parents=True, exist_ok=True)
    named = ({"name": f"s-{number}-seed0"} | given for number, given in enumerate(parameters))
    return [Job(notebook=results / "none.ipynb", parameters=given, folder=folder) for given in named]


@contextlib.contextmanager
def processes() -> Iterator[Callable[..., multiprocessing.Process]]:
    """Yields start(function, *arguments), which calls the function in a new process; those still running at the end are killed."""
    started = []

    def start(function, *arguments):
        process = multiprocessing.get_context("fork").Process(target=function, args=arguments)  # fork: torch is imported already
        process.start()
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.join()
