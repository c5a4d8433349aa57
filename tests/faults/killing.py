"""Kills a command at random moments, then runs it to its end: is everything as if nothing had happened?

SIGKILL goes to one process alone, as from the kernel when memory is short: what it has started must notice and end by itself.
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

MARK = "FSCLIB_KILLED"  # an environment variable, by which the descendants of a command are known
PATIENCE = 30  # seconds that they have to end by themselves, on a machine that is busy with others
WRITING, WORKING, ANY = KINDS = ("while writing a file", "at work", "at any time")


@dataclass(frozen=True)
class Stage:
    """A part of the work, as a command that starts in its home.

    command  the words behind `python`
    prepare  puts what the command finds there into an empty home; its first argument is a folder with corpora
    victim   a word in the command line of who is killed; empty: the command itself
    """

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Path, Path], None]
    victim: str = ""


@dataclass(frozen=True)
class Moment:
    """When to kill: this many seconds after the start, or, while writing, with the first file that is written after that."""

    kind: str
    seconds: float


@dataclass(frozen=True)
class Undisturbed:
    """What a command leaves and how long it takes; began: seconds until it changed its first file, loading libraries before."""

    contents: dict[str, list[Any]]
    seconds: float
    began: float


def survive(stage: Stage, corpora: Path, folder: Path, kills: int) -> Counter[str]:
    """Trials of one to three kills each, until there are `kills`: how many of each kind were dealt. `folder` is for the homes.

    AssertionError, with all that it takes to repeat the trial, if a process, a lock or a file is left, or anything in the end is
    not as the undisturbed command has it.
    """
    template = folder / "template"
    (template / "tmp").mkdir(parents=True)
    stage.prepare(corpora, template)
    undisturbed, dealt = measure(stage, template, folder / "undisturbed"), Counter()
    latest = undisturbed.seconds
    for trial in range(3 * kills):
        chance = random.Random(f"{stage.name} {trial}")
        home = shutil.copytree(template, folder / f"trial-{trial}", symlinks=True)
        moments = []
        told = f"{stage.name}, trial {trial}, killed at"
        for _ in range(min(chance.randint(1, 3), kills)):
            moments.append(draw(chance, KINDS[trial % len(KINDS)], undisturbed.began, latest))
            if not kill(stage, home, moments[-1], f"{told} {moments}"):
                latest = max(0.7 * latest, undisturbed.began)  # the machine is faster now than when the time was measured
                break
            dealt[moments[-1].kind] += 1
        complete(stage, home, f"{told} {moments}")
        left = differences(contents(home), undisturbed.contents)
        assert not left, f"{told} {moments}: " + ", ".join(left)
        shutil.rmtree(home)
        if dealt.total() >= kills:
            return dealt
    raise AssertionError(f"{stage.name}: {dealt.total()} kills in {3 * kills} trials; the others came too late")


def measure(stage: Stage, template: Path, home: Path) -> Undisturbed:
    """The command undisturbed, in a copy of the template."""
    shutil.copytree(template, home, symlinks=True)
    before, start = time.time(), time.monotonic()
    complete(stage, home, f"{stage.name}, undisturbed")
    seconds = time.monotonic() - start
    changes = [path.stat().st_mtime for path in home.rglob("*") if path.is_file()]
    return Undisturbed(contents(home), seconds, min((change for change in changes if change >= before), default=before) - before)


def draw(chance: random.Random, kind: str, began: float, latest: float) -> Moment:
    return Moment(kind, chance.uniform(0 if kind == ANY else began, latest))


def complete(stage: Stage, home: Path, told: str) -> None:
    """Runs the command to its end, which has to be a good one."""
    with started(stage, home) as (process, mark):
        process.wait()
        settle(home, mark, told)
    assert process.returncode == 0, _failure(told, home, process)


def kill(stage: Stage, home: Path, moment: Moment, told: str) -> bool:
    """Starts the command and kills it; whether the kill came before its end. Returns when all that it had started has ended."""
    with started(stage, home) as (process, mark):
        found = _strike(process, home, moment, lambda: named(mark, stage.victim) if stage.victim else [process.pid])
        settle(home, mark, told)
        process.wait()
    assert found or process.returncode == 0, _failure(told, home, process)
    return process.returncode != 0


def _strike(process: subprocess.Popen, home: Path, moment: Moment, victims: Callable[[], list[int]]) -> bool:
    """Kills the first of the victims when the moment has come; False if the process ends before that."""
    before = written(home)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment.seconds)
    while process.poll() is None:
        if (moment.kind != WRITING or written(home) - before) and (there := victims()):
            os.kill(there[0], signal.SIGKILL)
            return True
        time.sleep(0.001)
    return False


@contextlib.contextmanager
def started(stage: Stage, home: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """The command in a session of its own, and the mark of its descendants, of whom none is left at the end."""
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
        for pid in named(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def settle(home: Path, mark: str, told: str) -> None:
    """Waits until all processes of a command have ended and no lock is held. AssertionError if that does not come about."""
    end = time.monotonic() + PATIENCE
    while (left := named(mark)) or (locks := [file for file in home.rglob("*.lock") if held(file)]):
        if time.monotonic() > end:
            raise AssertionError(f"{told}: left are processes {[_words(pid) for pid in left]}" if left else f"{told}: {locks} held")
        time.sleep(0.02)


def named(mark: str, word: str = "") -> list[int]:
    """Processes of a command that are alive and have a word in their command lines."""
    entry, found = f"{MARK}={mark}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ends at this moment, or is another user's
            if entry in (folder / "environ").read_bytes().split(b"\0") and word in _words(int(folder.name)):
                found.append(int(folder.name))
    return found


def written(home: Path) -> set[tuple[str, int]]:
    """The files that are being written, or were when somebody was killed, and when they last changed."""
    found = set()
    for folder, _, names in os.walk(home):
        for name in names:
            if name.endswith(PART):
                with contextlib.suppress(FileNotFoundError):
                    found.add((f"{folder}/{name}", os.stat(f"{folder}/{name}").st_mtime_ns))  # noqa: PTH116 -- a thousand times a second
    return found


def _words(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _failure(told: str, home: Path, process: subprocess.Popen) -> str:
    return f"{told}: exit status {process.returncode}\n{_log(home).read_text()[-3000:]}"


def _log(home: Path) -> Path:
    return home.with_name(f"{home.name}.log")
