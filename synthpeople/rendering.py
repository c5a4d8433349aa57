"""Draws the images of a synthetic corpus into files, in this process or in several.

Memory use does not grow with the number of images: only a few chunks are in progress at a time.
"""

import contextlib
import os
import re
import secrets
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import groupby, islice
from multiprocessing import get_context, parent_process

from synthpeople.corpus import Corpus
from synthpeople.plans import Shot

CHUNK = 32  # images that a worker draws per report
OF_A_WORLD = 512  # the same with several worlds: each worker must draw a place first, which takes as long as ten people
WORTH_A_WORKER = 100  # images; starting a process takes as long as drawing dozens
PART = re.compile(r"(.*/|)\.([^/]+)\.[0-9a-f]{1,8}\.part", re.DOTALL)  # paths of files that are being written
AHEAD = 2  # chunks queued per worker, so that none waits for the parent


def draw_all(out: str, corpus: Corpus, shots: Sequence[Shot], workers: int = 0) -> Iterator[int]:
    """Draws into the folder `out`, whose subfolders exist, and yields the number of images written since the last report.

    workers  number of processes; 0: one per usable core, fewer for few images

    Errors: OSError if a file cannot be written, RuntimeError if a worker dies.
    """
    chunks = list(_chunks(corpus, shots))
    workers = min(workers or min(usable_cores(), 1 + len(shots) // WORTH_A_WORKER), len(chunks))
    chunks = iter(chunks)
    if workers <= 1:
        yield from (draw_files(out, corpus, chunk) for chunk in chunks)
        return
    # spawned, not forked: a notebook's process has threads, and a fork might copy locks that they hold
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
    """Chunks of shots in order, each within one world."""
    most = CHUNK if corpus.worlds == 1 else OF_A_WORLD
    for _, group in groupby(shots, lambda shot: corpus.seed_of(shot.identity)):
        world = tuple(group)
        yield from (world[start : start + most] for start in range(0, len(world), most))


def draw_files(out: str, corpus: Corpus, shots: Sequence[Shot]) -> int:
    """Draws one chunk; returns its number of images."""
    for shot in shots:
        for path, content in corpus.files(shot).items():
            write(f"{out}/{path}", content)
    return len(shots)


def write(path: str, content: bytes) -> None:
    """Writes a file completely or not at all; partial files have random names, so two processes may write the same corpus.

    A link at `path` is replaced, not followed. The file is not flushed to disk: there are thousands of images,
    and each can be redrawn.
    """
    folder, _, name = path.rpartition("/")
    part = f"{folder}/.{name}.{secrets.token_hex(4)}.part"
    try:
        with open(part, "xb") as file:  # noqa: PTH123 -- faster, and called tens of thousands of times
            file.write(content)
        os.replace(part, path)  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part)  # noqa: PTH108
        raise


def whole(path: str) -> str:
    """The path of the finished file if `path` has the form of a partial file of `write`; otherwise ""."""
    found = PART.fullmatch(path)
    return found[1] + found[2] if found else ""


def _begin() -> None:
    """Sets up a worker: it ignores Ctrl-C, since the parent then ends its workers, and exits when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)  # otherwise the worker would wait for the pool's queue forever


def usable_cores() -> int:
    """Number of cores that this process may use; a shared machine may have more."""
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
