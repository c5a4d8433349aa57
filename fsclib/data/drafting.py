"""Draws the images of a synthetic corpus into their files, in this process or in several.

The number of images adds nothing to what this takes of memory: only a few chunks are under way at a time.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import groupby, islice
from multiprocessing import get_context, parent_process

from fsclib.data.corpus import Corpus
from fsclib.data.decoding import usable_cores
from fsclib.data.plans import Shot
from fsclib.files import PART

CHUNK = 32  # images that a worker draws between two reports
OF_A_WORLD = 512  # the same where there are several worlds: a place takes as long as ten people, for everyone who draws there
WORTH_A_WORKER = 100  # images; starting a process takes as long as drawing dozens
AHEAD = 2  # chunks for each worker, so that none waits for the parent


def draw_all(out: str, corpus: Corpus, shots: Sequence[Shot], workers: int = 0) -> Iterator[int]:
    """Draw into the folder `out`, whose subfolders exist, yielding how many images were written since the last time.

    workers  processes; 0 for all usable cores where there is enough to draw

    Raises OSError where a file cannot be written, RuntimeError where a worker dies.
    """
    chunks = list(_chunks(corpus, shots))
    workers = min(workers or min(usable_cores(), 1 + len(shots) // WORTH_A_WORKER), len(chunks))
    chunks = iter(chunks)
    if workers <= 1:
        yield from (draw_files(out, corpus, chunk) for chunk in chunks)
        return
    # Spawned, not forked: a notebook's process has threads, whose locks a fork would copy in whatever state they are.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin) as pool:
        try:
            running = {pool.submit(draw_files, out, corpus, chunk) for chunk in islice(chunks, AHEAD * workers)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(draw_files, out, corpus, chunk) for chunk in islice(chunks, len(done))}
                yield sum(future.result() for future in done)
        except BrokenProcessPool as error:
            advice = "put a script's main part under `if __name__ == '__main__':` or pass workers=1; what was drawn is kept"
            raise RuntimeError(f"a process that draws has died; {advice}") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _chunks(corpus: Corpus, shots: Sequence[Shot]) -> Iterator[Sequence[Shot]]:
    """The shots in order, no chunk in two worlds."""
    most = CHUNK if corpus.worlds == 1 else OF_A_WORLD
    for _, group in groupby(shots, lambda shot: corpus.seed_of(shot.identity)):
        world = tuple(group)
        yield from (world[start : start + most] for start in range(0, len(world), most))


def draw_files(out: str, corpus: Corpus, shots: Sequence[Shot]) -> int:
    """Draw one chunk; its number of images."""
    for shot in shots:
        for path, content in corpus.files(shot).items():
            write(f"{out}/{path}", content)
    return len(shots)


def write(path: str, content: bytes) -> None:
    """The file is there whole or not at all; the process's number lets two of them write the same corpus at a time.

    Not flushed to the disk, unlike `fsclib.files.replacing`: an image can be drawn again, and there are thousands.
    """
    folder, _, name = path.rpartition("/")
    part = f"{folder}/.{name}.{os.getpid()}{PART}"
    try:
        with open(part, "wb") as file:  # noqa: PTH123 -- tens of thousands of times
            file.write(content)
        os.replace(part, path)  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part)  # noqa: PTH108
        raise


def is_part(path: str) -> bool:
    """Whether a path is one that `write` was about to write."""
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(PART)


def _begin() -> None:
    """In a worker: Ctrl-C is for the parent, which then ends its workers; and without the parent there is nothing to draw for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)  # the pool's queue would keep a worker waiting for ever
