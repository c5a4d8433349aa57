"""Notebooks and commands show what the library logs; a program that only imports fsclib decides for itself."""

import errno
import logging
import subprocess
import sys

import pytest

from fsclib import fit
from fsclib.system import log

WORK = f"""
import fcntl, os, sys
from pathlib import Path
def refuse(*arguments):
    raise OSError({errno.ENOLCK}, "No locks available")
fcntl.flock = refuse
from fsclib.system.locks import locked
from fsclib.system.progress import progress
with locked(Path(sys.argv[1]), "it is being drawn"):
    list(progress(range(3), "drawing 100 %s"))
"""


def output_of(program, folder):
    command = [sys.executable, "-c", program, str(folder / "lock")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_the_importing_program_decides_where_log_messages_go(tmp_path):
    warning = f"{tmp_path}: no file locks here (No locks available): concurrent runs are not prevented"
    assert output_of(WORK, tmp_path) == ([], [warning])
    lines = [warning, "drawing 100 %s: 3 in 0 s"]
    assert output_of("import workbook" + WORK, tmp_path) == (lines, [])
    assert output_of("import logging; logging.basicConfig(level='INFO', format='%(message)s')" + WORK, tmp_path) == ([], lines)


@pytest.fixture
def unconfigured(monkeypatch):
    """The logger as in a program that only imports fsclib."""
    logger = logging.getLogger("fsclib")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    level = logger.level
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(level)


def test_training_prints_nothing_before_log_show(home, tiny, capfd, unconfigured):
    config = tiny(epochs=1)
    fit(config)
    assert capfd.readouterr() == ("", "")
    log.show()
    run = fit(config)
    assert capfd.readouterr().out == f"{run.folder} is complete; nothing to train\n"


def test_each_line_is_shown_once(capsys, unconfigured):
    seen = logging.StreamHandler(sys.stdout)
    logging.getLogger().addHandler(seen)
    try:
        log.show()
        log.show()
        logging.getLogger("fsclib.training.loop").info("epoch 1")
    finally:
        logging.getLogger().removeHandler(seen)
    assert capsys.readouterr().out == "epoch 1\n"


def test_show_keeps_a_level_that_was_set_before(capsys, unconfigured):
    log.show()
    unconfigured.setLevel(logging.WARNING)
    log.show()
    logging.getLogger("fsclib.training.loop").info("epoch 1")
    assert capsys.readouterr().out == ""
