"""A notebook and a command show what the library has to say; a program that only imports it is left alone."""

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


def said(program, folder):
    words = [sys.executable, "-c", program, str(folder / "lock")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_a_program_that_imports_the_library_sees_warnings_where_logging_puts_them(tmp_path):
    warning = f"{tmp_path}: no file locks here (No locks available): concurrent runs are not prevented"
    assert said(WORK, tmp_path) == ([], [warning])
    lines = [warning, "drawing 100 %s: 3 in 0 s"]
    assert said("import workbook" + WORK, tmp_path) == (lines, [])
    assert said("import logging; logging.basicConfig(level='INFO', format='%(message)s')" + WORK, tmp_path) == ([], lines)


@pytest.fixture
def library_user(monkeypatch):
    """The logger as a program finds it that has imported fsclib alone."""
    logger = logging.getLogger("fsclib")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    level = logger.level
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(level)


def test_a_training_says_nothing_until_it_is_shown(home, tiny, capfd, library_user):
    config = tiny(epochs=1)
    fit(config)
    assert capfd.readouterr() == ("", "")
    log.show()
    run = fit(config)
    assert capfd.readouterr().out == f"{run.folder} is complete; nothing to train\n"


def test_each_line_is_shown_once(capsys, library_user):
    seen = logging.StreamHandler(sys.stdout)
    logging.getLogger().addHandler(seen)
    try:
        log.show()
        log.show()
        logging.getLogger("fsclib.training.loop").info("epoch 1")
    finally:
        logging.getLogger().removeHandler(seen)
    assert capsys.readouterr().out == "epoch 1\n"


def test_who_wants_less_is_heard(capsys, library_user):
    log.show()
    library_user.setLevel(logging.WARNING)
    log.show()
    logging.getLogger("fsclib.training.loop").info("epoch 1")
    assert capsys.readouterr().out == ""
