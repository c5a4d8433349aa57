"""The harness of the kills tells each way in which a command may fail to survive one."""

import sys

import killing
import pytest
from killing import Stage, survive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the descendants of a command are found in /proc")

WORK = "import os, pathlib, subprocess, time; from fsclib.system.storage import write_text; out = pathlib.Path('out.txt'); "
SOUND = WORK + "write_text(pathlib.Path('begun'), ''); time.sleep(0.5); write_text(out, 'done')"
SIGNED = WORK + (
    "from fsclib.system.locks import locked; lock = pathlib.Path('out.lock')\n"
    "if not out.exists():\n    with locked(lock, None): write_text(out, 'done'); time.sleep(0.5)\n"
)
FAULTY = {
    "left over": "part = pathlib.Path(f'{os.getpid()}.part'); part.write_text('done'); time.sleep(0.5); part.replace(out)",
    "out.txt: differs": "file = out.open('a'); file.write('x'); file.flush(); time.sleep(0.5)",
    "exit status 1": "os.mkdir('only once'); time.sleep(0.5)",
    "left are processes ..sleep 60": "child = subprocess.Popen(['sleep', '60']); out.touch(); time.sleep(0.5); child.kill()",
    "out.txt: missing": "mark = pathlib.Path('begun'); new = not mark.exists(); mark.touch(); time.sleep(0.5); new and out.touch()",
}


def fill(corpora, home):
    (home / "found").write_text("")


def test_what_survives_is_counted(tmp_path):
    dealt = survive(Stage("sound", ("-c", SOUND), fill), tmp_path, tmp_path, 4)
    assert dealt.total() >= 4
    assert set(dealt) <= set(killing.KINDS)


def test_the_line_of_a_holder_killed_after_its_work_is_no_difference(tmp_path):
    assert survive(Stage("signed", ("-c", SIGNED), fill), tmp_path, tmp_path, 4).total() >= 4


@pytest.mark.parametrize("told", FAULTY)
def test_what_does_not_survive_is_told(tmp_path, monkeypatch, told):
    monkeypatch.setattr(killing, "PATIENCE", 0.5)
    with pytest.raises(AssertionError, match=rf"faulty, trial \d, killed at .*{told}"):
        survive(Stage("faulty", ("-c", WORK + FAULTY[told]), fill), tmp_path, tmp_path, 4)


def test_a_command_that_cannot_be_hit_is_told(tmp_path):
    with pytest.raises(AssertionError, match="0 kills in 3 trials; the others came too late"):
        survive(Stage("quick", ("-c", "open('out.txt', 'w')"), fill, victim="nobody"), tmp_path, tmp_path, 1)
