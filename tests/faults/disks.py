"""Real disks that are full or read-only, where this user may mount them; folders without write permission; file size limits."""

import contextlib
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PAGE = 4096
NOBODY = 65534


@contextlib.contextmanager
def mounted(megabytes: int) -> Iterator[Path]:
    """Yields the folder of a newly mounted disk in memory. Skips the test where it cannot be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    folder.chmod(0o755)
    try:
        mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder))
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    finally:
        folder.rmdir()


def mount(*words: str) -> None:
    try:
        done = subprocess.run(["mount", *words], capture_output=True, text=True)
        reason = done.stderr.strip()
    except OSError as error:
        reason = str(error)
    if reason:
        pytest.skip(f"cannot mount a disk here: {reason}")


@contextlib.contextmanager
def full(disk: Path, left: int = 0) -> Iterator[None]:
    """Fills a disk, except for `left` pages."""
    free = shutil.disk_usage(disk).free
    with (disk / "filler").open("wb") as filler:
        if (size := free - left * PAGE) > 0:
            os.posix_fallocate(filler.fileno(), 0, size)
    try:
        yield
    finally:
        (disk / "filler").unlink()


@contextlib.contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Remounts a disk read-only."""
    mount("-o", "remount,ro", str(disk))
    try:
        yield
    finally:
        mount("-o", "remount,rw", str(disk))


@contextlib.contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Makes a folder and its subfolders read-only. Root ignores that: use `attempt` with nobody=True."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())]
    for each in folders:
        each.chmod(0o555)
    try:
        yield
    finally:
        for each in folders:
            each.chmod(0o755)


def attempt(act: Callable[[], object], *, largest: int | None = None, nobody: bool = False) -> str:
    """The error that `act` raises in a process of its own, as "DiskError: message"; empty if none.

    largest  limit on the size of a file, in bytes; nobody: if this user is root, run as the user nobody
    """
    here, there = multiprocessing.Pipe()
    fork = multiprocessing.get_context("fork")  # with everything imported already
    process = fork.Process(target=_act, args=(act, there, largest, nobody))
    process.start()
    there.close()
    try:
        assert here.poll(120), "no answer"
        return here.recv_bytes().decode()
    finally:
        process.kill()
        process.join()


def _act(act: Callable[[], object], answer, largest: int | None, nobody: bool) -> None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  pytest's files would be subject to the size limit
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    if nobody and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        act()
    except Exception as error:
        answer.send_bytes(f"{type(error).__name__}: {error}".encode())
    else:
        answer.send_bytes(b"")
