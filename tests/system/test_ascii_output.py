"""Terminals and log files that take ASCII only, as with LC_ALL=C: what they cannot show is escaped, and nothing stops."""

import io
import logging
import os
import subprocess
import sys

import pytest
from conftest import TINY, settle

from fsclib.system import log

TRAINING = " ".join(f"--{name} {value!r}" for name, value in (TINY | {"dataset": "llcm", "name": "good", "epochs": 1}).items())
COMMANDS = [
    "workbook.cli",
    "workbook.cli --help",
    "workbook.cli train --help",
    "workbook.cli runs",
    "fsclib.training --help",
    f"fsclib.training {TRAINING}",
    "fsclib.runs",
    "fsclib.runs llcm good",
    "workbook.sweep ablation --status",
    "workbook.replay --help",
    "workbook.html_report",
]
# One process for all commands, because importing torch takes seconds. Each finds a strict standard output, and sets it up itself.
PROGRAM = """
import runpy, sys
for command in sys.argv[1:]:
    sys.stdout.reconfigure(errors="strict")
    for name in [name for name in sys.modules if name.partition(".")[0] == "workbook" or name.endswith("__main__") and "." in name]:
        del sys.modules[name]
    module, *sys.argv[1:] = command.split()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit:
        pass
    print(command, "takes any text: \\u2192")
"""


def output_in(monkeypatch, encoding: str) -> io.BytesIO:
    """Makes standard output refuse what this encoding lacks; returns what is written to it. Not a fixture: pytest sets it again."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding, errors="strict", write_through=True))
    return written


def test_messages_and_printed_text_are_escaped(monkeypatch):
    written = output_in(monkeypatch, "ascii")
    with pytest.raises(UnicodeEncodeError):
        print("→")
    log.show()
    logging.getLogger("fsclib.data").info("pixels at 64×24")
    print("infrared → visible")
    assert written.getvalue() == b"pixels at 64\\xd724\ninfrared \\u2192 visible\n"


def test_text_is_unchanged_where_it_can_be_shown(monkeypatch):
    written = output_in(monkeypatch, "utf-8")
    log.show()
    print("infrared → visible")
    assert written.getvalue().decode() == "infrared → visible\n"


def test_no_command_stops_in_a_folder_with_an_accent(corpora, tmp_path, monkeypatch):
    home = tmp_path / "données"
    home.mkdir()
    settle(home, corpora, monkeypatch)
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", PROGRAM, *COMMANDS], capture_output=True, env=environment)
    printed, errors = done.stdout.decode("ascii"), done.stderr.decode("ascii")
    assert (done.returncode, errors.count("Traceback")) == (0, 0), errors
    for command in COMMANDS:
        assert f"{command} takes any text: \\u2192" in printed, errors
    assert "fsclib COMMAND \\u2026" in printed
    assert "epoch 1/1: 22 steps" in printed
    assert r"donn\udcc3\udca9es/results/llcm/good/figures" in printed  # file names are bytes there
