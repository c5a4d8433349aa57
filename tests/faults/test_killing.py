"""The kill harness reports every way in which a command can fail to recover from a kill."""

import sys

import killing
import pytest
from killing import Stage, survive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the descendants of a command are found in /proc")

WORK = "import os, pathlib, subprocess, time; from fsclib.system.storage import write_text; out = pathlib.Path('out.txt'); "
ROBUST = WORK + "write_text(pathlib.Path('begun'), ''); time.sleep(0.5); write_text(out, 'done')"
LOCKING = WORK + (
    "from fsclib.system.locks import locked; lock = pathlib.Path('out.lock')\n"
    "if not out.exists():\n    with locked(lock, None): write_text(out, 'done'); time.sleep(0.5)\n"
)
FAULTY = {
    "left over": "part = pathlib.Path(f'{os.getpid()}.part'); part.write_text('done'); time.sleep(0.5); part.replace(out)",
    "out.txt: differs": "file = out.open('a'); file.write('x'); file.flush(); time.sleep(0.5)",
    "exit status 1": "os.mkdir('only once'); time.sleep(0.5)",
    "processes left over: ..sleep 60": "child = subprocess.Popen(['sleep', '60']); out.touch(); time.sleep(0.5); child.kill()",
    "out.txt: missing": "mark = pathlib.Path('begun'); new = not mark.exists(); mark.touch(); time.sleep(0.5); new and out.touch()",
}


def fill(corpora, home):
    (home / "found").write_text("")


def test_survived_kills_are_counted(tmp_path):
    kills_by_kind = survive(Stage("sound", ("-c", ROBUST), fill), tmp_path, tmp_path, 4)
    assert kills_by_kind.total() >= 4
    assert set(kills_by_kind) <= set(killing.KINDS)


def test_stale_holder_line_in_a_lock_file_is_no_difference(tmp_path):
    assert survive(Stage("signed", ("-c", LOCKING), fill), tmp_path, tmp_path, 4).total() >= 4


@pytest.mark.parametrize("problem", FAULTY)
def test_each_failure_is_reported(tmp_path, monkeypatch, problem):
    monkeypatch.setattr(killing, "PATIENCE", 0.5)
    with pytest.raises(AssertionError, match=rf"faulty, trial \d, killed at .*{problem}"):
        survive(Stage("faulty", ("-c", WORK + FAULTY[problem]), fill), tmp_path, tmp_path, 4)


def test_command_that_cannot_be_killed_in_time_is_reported(tmp_path):
    with pytest.raises(AssertionError, match="0 kills in 3 trials; the others came too late"):
        survive(Stage("quick", ("-c", "open('out.txt', 'w')"), fill, victim="nobody"), tmp_path, tmp_path, 1)
