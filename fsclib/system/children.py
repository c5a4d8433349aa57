"""Child processes that end with this one, however it ends.

A child's standard input is a pipe from its parent. It closes when the parent closes it or dies, even by SIGKILL, and the child then
ends itself: `end_with_parent` waits for that, and a child that reads its input reaches the end of it. A child has its own session,
so Ctrl-C reaches only the parent, which then ends its children.

The worker of a ProcessPoolExecutor has no such pipe and gets Ctrl-C, but starts with everything imported, which analysis/cost.py
needs; it uses `end_with_parent` alone.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any


def start(command: Sequence[str], **options: Any) -> subprocess.Popen:
    """Starts a child. options: those of Popen."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **options)


def end(children: Collection[subprocess.Popen], patience: float) -> None:
    """Closes the pipes of all these children, and kills those that have not ended after `patience` seconds."""
    latest = time.monotonic() + patience
    for child in children:
        if child.stdin:
            with contextlib.suppress(BrokenPipeError):  # it died before it had read everything
                child.stdin.close()
    for child in children:
        try:
            child.wait(max(0, latest - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def end_with_parent(patience: float = 0, last: Callable[[], object] = lambda: None) -> None:
    """Called in a child: ends it with its parent. With patience it is first interrupted, as by Ctrl-C, and has that many seconds
    to clean up. `last` is called before the end."""
    threading.Thread(target=_follow, args=(patience, last), daemon=True).start()


def _follow(patience: float, last: Callable[[], object]) -> None:
    if parent := multiprocessing.parent_process():  # in a worker of a pool
        parent.join()
    else:
        os.read(0, 1)  # nothing is ever written, so this returns when the pipe closes
    if patience:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(patience)
    last()
    os._exit(1)
