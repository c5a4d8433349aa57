"""A cell of a sweep: its files, the state they show, and how it is run.

    results/<dataset>/<name>/                      the run that the notebook makes; metrics.json marks it done
    results/<dataset>/<sweep>/<name>.ipynb         the executed notebook
                              <name>.error.txt     the last lines of the error, if it failed
                              .<name>.lock         held by the process that runs it, and released when that process dies

Needs neither torch nor pandas: the process that waits for a notebook should not weigh as much as the notebook.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsclib.system.disk_space import make_folder
from fsclib.system.errors import printable
from fsclib.system.locks import held, lock_beside, locked
from fsclib.system.opening import check_file
from fsclib.system.reading import read_bytes
from fsclib.system.storage import write_text

DONE, RUNNING, FAILED, WAITING = STATES = ("done", "running", "failed", "waiting")
LINES = 20  # of an error: the last frames of a traceback and the message


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is needed to run a cell: the notebook, its parameters as given, with name and seed, and the sweep's folder."""

    notebook: Path
    parameters: Mapping[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        return self.parameters["name"]

    @property
    def run_folder(self) -> Path:
        return self.folder.parent / self.name

    @property
    def executed(self) -> Path:
        return self.folder / f"{self.name}.ipynb"

    @property
    def error_file(self) -> Path:
        return self.folder / f"{self.name}.error.txt"

    @property
    def lock(self) -> Path:
        return lock_beside(self.folder / self.name)

    @property
    def error(self) -> str:
        """The last lines of the error; empty if there is none."""
        try:
            return printable(read_bytes(self.error_file).decode("utf-8", "replace"))
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"{self.error_file} cannot be read: {error.strerror or error}"

    def to_json(self) -> str:
        """For `from_json` in another process."""
        return json.dumps({"notebook": str(self.notebook), "parameters": dict(self.parameters), "folder": str(self.folder)})

    @classmethod
    def from_json(cls, text: str) -> "Job":
        values = json.loads(text)
        return Job(notebook=Path(values["notebook"]), parameters=values["parameters"], folder=Path(values["folder"]))


def state(job: Job) -> str:
    """One of STATES."""
    found = _left(job)
    return RUNNING if found != DONE and held(job.lock) else found


def execute(job: Job) -> None:
    """Runs the notebook of a cell with papermill. Errors: papermill's, and those of the kernel; LinkError."""
    import papermill  # takes a second, which a cell that is already taken need not spend

    check_file(job.executed)  # papermill would write through a link, and wait for the reader of a pipe
    papermill.execute_notebook(
        job.notebook,
        job.executed,
        dict(job.parameters),
        progress_bar=False,
        start_timeout=300,  # many kernels starting at once are slow
        shutdown_kernel="immediate",  # everything is written by then, and an interruption should not wait for the kernel
    )


def run_cell(job: Job, execute: Callable[[Job], None] = execute) -> str:
    """Runs a waiting cell under its lock; returns its final state, or its unchanged state if it was not waiting.

    "running" means that another process has the cell, or that its run is still locked: by a training under the same name, or by
    the kernel of a killed sweep, which notices within two seconds. Errors of the notebook are not raised; they make it "failed".
    """
    make_folder(job.folder)
    try:
        with locked(job.lock, None):
            if (found := _left(job)) != WAITING:
                return found
            try:
                execute(job)
            except Exception as error:
                fail(job, str(error) if type(error).__name__ == "PapermillExecutionError" else f"{type(error).__name__}: {error}")
            else:
                if not _done(job):  # after sys.exit(), and after some deaths of a kernel
                    fail(job, f"{job.executed.name} ended without an error and without {job.run_folder / 'metrics.json'}")
            return _left(job)
    except BlockingIOError:
        return RUNNING


def fail(job: Job, text: str) -> None:
    """Keeps the last lines of an error."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    make_folder(job.folder)
    write_text(job.error_file, "\n".join(lines[-LINES:]) + "\n")


def _left(job: Job) -> str:
    """The state, regardless of the cell's own lock."""
    if held(lock_beside(job.run_folder)):  # as in runs.alone
        return RUNNING
    if job.error_file.exists():  # possible for a finished run too: its notebook failed after the training, in a figure for example
        return FAILED
    return DONE if _done(job) else WAITING


def _done(job: Job) -> bool:
    return (job.run_folder / "metrics.json").exists()
