"""Child processes end when their parent does, even if it is killed; Ctrl-C reaches only the parent."""

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


def printed_after_kill(*words):
    """What the children print after their parent is killed, until they have all ended."""
    parent = subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "ready\n"
    parent.send_signal(signal.SIGKILL)
    return parent.communicate(timeout=60)[0]


@pytest.mark.parametrize(("child", "printed"), [(FOLLOW, ""), (CLEAN, "cleaned up\n"), (LINGER, "still here\n")])
def test_no_child_outlives_a_killed_parent(child, printed):
    assert printed_after_kill(PARENT, child) == printed


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_no_worker_of_a_pool_outlives_a_killed_parent(method):
    assert printed_after_kill(POOL.replace("METHOD", repr(method))) == ""


def test_children_that_do_not_end_are_killed_together():
    options = {"stdout": subprocess.PIPE, "text": True}
    stubborn = [children.start([sys.executable, "-c", f"print('ready', flush=True); {SLEEP}"], **options) for _ in range(3)]
    obedient = children.start([sys.executable, "-c", FOLLOW], **options)
    assert [child.stdout.readline() for child in (*stubborn, obedient)] == ["ready\n"] * 4
    start = time.monotonic()
    children.end([*stubborn, obedient], patience=3)
    assert 3 <= time.monotonic() - start < 8  # not three seconds for each child
    assert [child.returncode for child in (*stubborn, obedient)] == [-signal.SIGKILL] * 3 + [1]
    assert all(child.stdin.closed and child.stdout.closed for child in stubborn)


def test_ending_a_child_that_died_before_reading_its_input_is_no_error():
    child = children.start(["false"], text=True)
    child.stdin.write("a task")
    child.wait()
    children.end([child], patience=0)
    assert child.returncode == 1


def test_a_child_has_its_own_session_without_ctrl_c():
    child = children.start([sys.executable, "-c", SLEEP])
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    children.end([child], patience=0)
