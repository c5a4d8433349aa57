"""Of two processes that need the same lock, the second names the first and stops or waits; a killed process holds no lock."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from programs import TINY, end, is_one_message, start, training, until
from tally import LONG, keep

from fsclib import runs
from fsclib.config import Config
from fsclib.config.specs import DATASETS
from fsclib.data.images import open_images
from fsclib.runs.assemble import images_of
from fsclib.system.locks import held, holder, lock_beside, locked
from synthpeople.generate import write_corpus

HOLDER = rf"process (\d+) on {re.escape(socket.gethostname())} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
CONTEND = """
import os, sys, time
from pathlib import Path
from fsclib.system.locks import holder, locked
lock, ledger = map(Path, sys.argv[1:3])
def note(word):
    with ledger.open("a") as file:
        file.write(f"{word} {os.getpid()}\\n")
while True:
    with locked(lock, "the thing is being done"):
        note("in" if f"process {os.getpid()} " in holder(lock) else "unnamed")
        time.sleep(0.01)
        note("out" if f"process {os.getpid()} " in holder(lock) else "unnamed")
"""


def test_locked_run_is_refused_with_the_name_of_its_process(home):
    config = Config(**TINY, name="taken")
    images_of(config)  # decoded now, so that the other process has nothing to report but the lock
    with runs.alone(config):
        status, out, errors = end(start(home, *training("taken")))
    assert (status, out) == (1, "")
    assert is_one_message(errors)
    assert re.search(rf"results/llcm/taken is being trained by {HOLDER}; wait for it, or give", errors)[1] == str(os.getpid())
    keep("locks", "a run that the test holds", {"refused with its process": 1})


@pytest.mark.skipif(not LONG, reason="two trainings: make test-faults")
@pytest.mark.parametrize("number", range(3))
def test_same_training_started_twice(home, number):
    lock = lock_beside(home / "results/llcm/twice")
    first = start(home, *training("twice", epochs=5))
    until(lambda: holder(lock).startswith("process"))
    time.sleep(2 * number)  # at its beginning, or in the middle
    status, out, errors = end(start(home, *training("twice", epochs=5)))
    assert (status, out) == (1, "")
    assert re.search(HOLDER, errors)[1] == str(first.pid)
    assert end(first)[0] == 0
    assert "is complete" in end(start(home, *training("twice", epochs=5)))[1]
    keep("locks", f"the same training twice, {number}", {"the second refused with the first's process, the first completed": 1})


@pytest.mark.skipif(not LONG, reason="two trainings: make test-faults")
@pytest.mark.parametrize("number", range(3))
def test_two_runs_decode_the_same_images_once(tmp_path, number):
    """The second run waits, with a message, or finds everything decoded."""
    corpus = tmp_path / "data" / DATASETS["llcm"].folder
    write_corpus(corpus, "llcm", 16, 3, images=4, height=288, width=108, progress=False)
    both = [start(tmp_path, *training(name, epochs=1)) for name in ("a", "b")]
    ends = [end(process) for process in both]
    assert [status for status, _, _ in ends] == [0, 0], ends
    decoded = [out.count("pixels of llcm") for _, out, _ in ends]
    assert sorted(decoded) == [0, 1]
    waited = re.search(rf"llcm is being decoded by {HOLDER}; waiting for it to finish", ends[decoded.index(0)][1])
    if waited:
        assert waited[1] == str(both[decoded.index(1)].pid)
    assert len(list((tmp_path / "data" / "cache").glob("*.npy"))) == 1
    keep("locks", f"two runs decode the same, {number}", {"the second waited with a message" if waited else "found it decoded": 1})


def test_training_waits_for_the_process_that_decodes_its_images(corpora, tmp_path):
    """Like the test above, but deterministic: this test holds the lock, and releases it without decoding."""
    root, cache = tmp_path / "data" / DATASETS["llcm"].folder, tmp_path / "data" / "cache"
    cache.mkdir(parents=True)
    root.symlink_to(corpora / "data" / DATASETS["llcm"].folder)
    open_images("llcm", (TINY["height"], TINY["width"]), root, workers=1, cache_dir=cache, show=False)
    (lock,) = cache.glob("*.lock")
    for made in [*cache.glob("*.json"), *cache.glob("*.npy")]:
        made.unlink()
    with locked(lock, None):
        process = start(tmp_path, *training("waits", epochs=1))
        message = re.fullmatch(rf"llcm is being decoded by {HOLDER}; waiting for it to finish\n", process.stdout.readline())
        assert message[1] == str(os.getpid())
    status, out, errors = end(process)
    assert status == 0, errors
    assert "pixels of llcm" in out
    keep("locks", "a training waits for another that decodes", {"waited with a message, then decoded": 1})


def test_lock_holders_killed_at_random(tmp_path):
    """There is never more than one holder, it is named while it holds the lock, and a killed holder blocks no other process."""
    lock, ledger, rng = tmp_path / "lock", tmp_path / "ledger", random.Random(7)
    command = [sys.executable, "-c", CONTEND, str(lock), str(ledger)]
    contenders = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
    killed = set()
    try:
        until(lambda: ledger.exists() and ledger.read_text().count("in") > 5)
        for _ in range(100 if LONG else 10):
            time.sleep(rng.uniform(0, 0.2))
            victim = rng.randrange(len(contenders))
            if found := re.search(r"process (\d+)", holder(lock)):  # half of the time the holder
                holding = [number for number, process in enumerate(contenders) if process.pid == int(found[1])]
                victim = holding[0] if holding and rng.random() < 0.5 else victim
            contenders[victim].send_signal(signal.SIGKILL)
            contenders[victim].wait()
            killed.add(contenders[victim].pid)
            contenders[victim] = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        before = ledger.read_text().count("in")
        until(lambda: ledger.read_text().count("in") > before + 20)
    finally:
        for process in contenders:
            process.kill()
            process.wait()
            killed.add(process.pid)
    inside, interrupted, entries = None, 0, 0
    for line in ledger.read_text().splitlines():
        word, pid = line.split()
        assert word != "unnamed", line
        if word == "in":
            assert inside is None or int(inside) in killed, f"{pid} entered while {inside} held the lock"
            interrupted += inside is not None
            inside, entries = pid, entries + 1
        else:
            assert pid == inside, line
            inside = None
    assert interrupted, "no process was killed while it held the lock"
    assert not held(lock)
    outcomes = {"taken alone and named": entries - interrupted, "taken over from a killed process": interrupted}
    keep("locks", "holders killed at random", outcomes)
