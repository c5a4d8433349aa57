"""Children end with their parent, whatever ends it; Ctrl-C is the parent's alone."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fsclib.system import children

SLEEP = "import time; time.sleep(600)"
FOLLOW = f"from fsclib.system import children; children.end_with_parent(); print('ready', flush=True); {SLEEP}"
INTERRUPTED = """
import time
from fsclib.system import children
children.end_with_parent(patience={patience})
try:
    print("ready", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("{word}", flush=True)
time.sleep({then})
"""
CLEAN = INTERRUPTED.format(patience=60, word="cleaned up", then=0)
LINGER = INTERRUPTED.format(patience=1, word="still here", then=600)
PARENT = f"import sys; from fsclib.system import children; child = children.start([sys.executable, '-c', sys.argv[1]]); {SLEEP}"
POOL = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from fsclib.system import children
pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(METHOD), initializer=children.end_with_parent)
pool.submit(print, "ready", flush=True).result()
time.sleep(600)
"""


def after_the_parent(*words):
    """What is printed once the parent is killed, until all that could print have ended."""
    parent = subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "ready\n"
    parent.send_signal(signal.SIGKILL)
    return parent.communicate(timeout=60)[0]


@pytest.mark.parametrize(("child", "printed"), [(FOLLOW, ""), (CLEAN, "cleaned up\n"), (LINGER, "still here\n")])
def test_no_child_outlives_a_killed_parent(child, printed):
    assert after_the_parent(PARENT, child) == printed


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_no_worker_of_a_pool_outlives_a_killed_parent(method):
    assert after_the_parent(POOL.replace("METHOD", repr(method))) == ""


def test_children_that_do_not_end_are_killed_together():
    given = {"stdout": subprocess.PIPE, "text": True}
    deaf = [children.start([sys.executable, "-c", f"print('ready', flush=True); {SLEEP}"], **given) for _ in range(3)]
    willing = children.start([sys.executable, "-c", FOLLOW], **given)
    assert [child.stdout.readline() for child in (*deaf, willing)] == ["ready\n"] * 4
    start = time.monotonic()
    children.end([*deaf, willing], patience=3)
    assert 3 <= time.monotonic() - start < 8  # not three times three
    assert [child.returncode for child in (*deaf, willing)] == [-signal.SIGKILL] * 3 + [1]
    assert all(child.stdin.closed and child.stdout.closed for child in deaf)


def test_a_child_that_has_died_before_it_read_everything_is_ended_without_an_error():
    child = children.start(["false"], text=True)
    child.stdin.write("a task")
    child.wait()
    children.end([child], patience=0)
    assert child.returncode == 1


def test_ctrl_c_is_the_parents_alone():
    child = children.start([sys.executable, "-c", SLEEP])
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    children.end([child], patience=0)
