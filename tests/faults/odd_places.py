"""Puts links, pipes and devices in place of a writer's files and folders, and reports how the writer ends."""

import contextlib
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from tally import LONG
from writers import Writer, prepare

from fsclib.system.errors import FsclibError

MOST = 60 if LONG else 5  # files tried per writer
SECONDS = 60.0  # enough for every writer, on a busy machine too; waiting for a pipe would never end
SECRET = b"another's"
USER_LINKS = {  # links that are the user's own: to a larger disk, for example
    "results", "results/llcm", "results/llcm/s", "results/llcm/s-0-seed0", "llcm", "llcm/mine", "llcm/01_data", "data", "data/demo",
    "corpus", "cache", "images", "index", "benchmarks",
}  # fmt: skip


class Hangs(BaseException):
    """Raised in code that takes too long; not caught by `except Exception`."""


@contextlib.contextmanager
def in_time(seconds: float = SECONDS) -> Iterator[None]:
    """Raises Hangs if its body takes longer."""

    def end(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(act: Callable[[], object]) -> str:
    """The error that `act` ended with, "" if none. Raises Hangs, and errors that no user should see."""
    try:
        with in_time():
            act()
    except (FsclibError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def places(writer: Writer, home: Path) -> tuple[list[str], list[str]]:
    """Some of the files, and all folders, that a writer reads and writes below a home."""
    prepare(writer, home)
    writer.write(home)
    found = sorted(home.rglob("*"))
    files = [str(path.relative_to(home)) for path in found if path.is_file()]
    folders = [str(path.relative_to(home)) for path in found if path.is_dir()]
    shutil.rmtree(home)
    return sorted(random.Random(0).sample(files, min(MOST, len(files)))), folders


def put(place: Path, make: Callable[[Path], object]) -> None:
    """Replaces whatever is at `place` with what `make` creates."""
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    make(place)


def victim(folder: Path) -> Path:
    """Creates a file outside the home, which must not change."""
    folder.mkdir(exist_ok=True)
    file = folder / "thesis.txt"
    file.write_bytes(SECRET)
    file.chmod(0o640)
    return file


def untouched(file: Path) -> bool:
    """Whether a victim is unchanged and the only file in its folder."""
    alone = [path.name for path in file.parent.iterdir()] == [file.name]
    return alone and file.read_bytes() == SECRET and os.stat(file).st_mode & 0o777 == 0o640  # noqa: PTH116
