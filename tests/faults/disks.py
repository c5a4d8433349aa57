"""Disks that are full, cannot be written, or take no large file: real ones, where this user may mount them."""

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
    """The folder of a disk of its own in memory. Skips the test where it cannot be mounted."""
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
        pytest.skip(f"a disk of its own cannot be mounted here: {reason}")


@contextlib.contextmanager
def full(disk: Path, left: int = 0) -> Iterator[None]:
    """All of a disk taken but `left` pages."""
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
    """A disk mounted anew, without writing."""
    mount("-o", "remount,ro", str(disk))
    try:
        yield
    finally:
        mount("-o", "remount,rw", str(disk))


@contextlib.contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Folders that may only be read, for a process that is not root: `attempt` with nobody=True makes one."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())]
    for each in folders:
        each.chmod(0o555)
    try:
        yield
    finally:
        for each in folders:
            each.chmod(0o755)


def attempt(act: Callable[[], object], *, largest: int | None = None, nobody: bool = False) -> str:
    """What `act` raises in a process of its own, as "DiskError: what it says"; empty if nothing.

    largest  bytes of a file that it may write; nobody: as a user without rights, if this one is root
    """
    here, there = multiprocessing.Pipe()
    fork = multiprocessing.get_context("fork")  # everything is imported already
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
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  else files of pytest's, to which the limit would apply
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
