"""Kills a command at random moments, runs it again to completion, and compares the result with that of an uninterrupted run.

SIGKILL goes to one process only, as from the kernel when memory runs out; the processes it started must exit by themselves.
"""

import contextlib
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remains import contents, differences

from fsclib.system.locks import held
from fsclib.system.storage import PART

MARK = "FSCLIB_KILLED"  # an environment variable that identifies the descendants of a command
PATIENCE = 30  # seconds they have to exit by themselves, on a busy machine
WRITING, WORKING, ANY = KINDS = ("while writing a file", "at work", "at any time")


@dataclass(frozen=True)
class Stage:
    """A stage of the work, as a command that runs in a home of its own.

    command  the arguments of `python`
    prepare  fills an empty home with what the command needs; its first argument is a folder with corpora
    victim   a word in the command line of the process to kill; empty: the command itself
    """

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Path, Path], None]
    victim: str = ""


@dataclass(frozen=True)
class Moment:
    """When to kill: this many seconds after the start or, while writing, as soon as a file is written after that."""

    kind: str
    seconds: float


@dataclass(frozen=True)
class Uninterrupted:
    """What a command leaves and how long it takes; began: seconds until it changed its first file, after imports."""

    contents: dict[str, list[Any]]
    seconds: float
    began: float


def survive(stage: Stage, corpora: Path, folder: Path, kills: int) -> Counter[str]:
    """Runs trials of one to three kills each until there are `kills`; returns their number by kind. `folder` is for the homes.

    AssertionError, with what is needed to repeat the trial, if a process, a lock or a file is left over, or the result differs from
    that of the uninterrupted command.
    """
    template = folder / "template"
    (template / "tmp").mkdir(parents=True)
    stage.prepare(corpora, template)
    uninterrupted, kills_by_kind = measure(stage, template, folder / "uninterrupted"), Counter()
    pace = 1.0  # the command may be faster than when it was measured, on a busier machine
    for trial in range(3 * kills):
        chance = random.Random(f"{stage.name} {trial}")
        home = shutil.copytree(template, folder / f"trial-{trial}", symlinks=True)
        moments = []
        label = f"{stage.name}, trial {trial}, killed at"
        for _ in range(min(chance.randint(1, 3), kills)):
            moments.append(draw(chance, KINDS[trial % len(KINDS)], pace * uninterrupted.began, pace * uninterrupted.seconds))
            if not kill(stage, home, moments[-1], f"{label} {moments}"):
                pace *= 0.6
                break
            kills_by_kind[moments[-1].kind] += 1
        complete(stage, home, f"{label} {moments}")
        left = differences(contents(home), uninterrupted.contents)
        assert not left, f"{label} {moments}: " + ", ".join(left)
        shutil.rmtree(home)
        if kills_by_kind.total() >= kills:
            return kills_by_kind
    raise AssertionError(f"{stage.name}: {kills_by_kind.total()} kills in {3 * kills} trials; the others came too late")


def measure(stage: Stage, template: Path, home: Path) -> Uninterrupted:
    """Runs the command without interruption, in a copy of the template."""
    shutil.copytree(template, home, symlinks=True)
    before, start = time.time(), time.monotonic()
    complete(stage, home, f"{stage.name}, uninterrupted")
    seconds = time.monotonic() - start
    changes = [path.stat().st_mtime for path in home.rglob("*") if path.is_file()]
    return Uninterrupted(contents(home), seconds, min((change for change in changes if change >= before), default=before) - before)


def draw(chance: random.Random, kind: str, began: float, latest: float) -> Moment:
    return Moment(kind, chance.uniform(0 if kind == ANY else began, latest))


def complete(stage: Stage, home: Path, label: str) -> None:
    """Runs the command to its end; it must succeed."""
    with started(stage, home) as (process, mark):
        process.wait()
        wait_for_exit(home, mark, label)
    assert process.returncode == 0, _failure(label, home, process)


def kill(stage: Stage, home: Path, moment: Moment, label: str) -> bool:
    """Starts the command, kills it and waits for its descendants to exit. False if the command ended before the kill."""
    with started(stage, home) as (process, mark):
        found = _kill_when_due(process, home, moment, lambda: processes(mark, stage.victim) if stage.victim else [process.pid])
        wait_for_exit(home, mark, label)
        process.wait()
    assert found or process.returncode == 0, _failure(label, home, process)
    return process.returncode != 0


def _kill_when_due(process: subprocess.Popen, home: Path, moment: Moment, victims: Callable[[], list[int]]) -> bool:
    """Kills the first victim at the given moment; False if the process ends before that."""
    before = partial_files(home)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment.seconds)
    while process.poll() is None:
        if (moment.kind != WRITING or partial_files(home) - before) and (there := victims()):
            os.kill(there[0], signal.SIGKILL)
            return True
        time.sleep(0.001)
    return False


@contextlib.contextmanager
def started(stage: Stage, home: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """Starts the command in a session of its own; yields it with the mark of its descendants, and kills them all at the end."""
    mark = secrets.token_hex(16)
    places = {"FSCLIB_HOME": str(home), "TMPDIR": str(home / "tmp")}
    with _log(home).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *stage.command],
            cwd=home,
            env=os.environ | places | {"FSCLIB_HEADLESS": "1", MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process, mark
    finally:
        for pid in processes(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def wait_for_exit(home: Path, mark: str, label: str) -> None:
    """Waits until all processes of a command have exited and no lock is held. AssertionError if that takes too long."""
    end = time.monotonic() + PATIENCE
    while (left := processes(mark)) or (locks := [file for file in home.rglob("*.lock") if held(file)]):
        if time.monotonic() > end:
            found = f"processes left over: {[_command_line(pid) for pid in left]}" if left else f"{locks} still held"
            raise AssertionError(f"{label}: {found}")
        time.sleep(0.02)


def processes(mark: str, word: str = "") -> list[int]:
    """Running processes of a command whose command lines contain `word`."""
    entry, found = f"{MARK}={mark}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just exited, or is another user's
            if entry in (folder / "environ").read_bytes().split(b"\0") and word in _command_line(int(folder.name)):
                found.append(int(folder.name))
    return found


def partial_files(home: Path) -> set[tuple[str, int]]:
    """Files that are being written, or were when a process was killed, with their modification times."""
    found = set()
    for folder, _, names in os.walk(home):
        for name in names:
            if name.endswith(PART):
                with contextlib.suppress(FileNotFoundError):
                    found.add((f"{folder}/{name}", os.stat(f"{folder}/{name}").st_mtime_ns))  # noqa: PTH116 -- a thousand times a second
    return found


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _failure(label: str, home: Path, process: subprocess.Popen) -> str:
    return f"{label}: exit status {process.returncode}\n{_log(home).read_text()[-3000:]}"


def _log(home: Path) -> Path:
    return home.with_name(f"{home.name}.log")
