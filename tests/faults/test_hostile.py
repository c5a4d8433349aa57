"""Files from elsewhere are only data: nothing in them is executed, and bad ones raise the library's own errors."""

import contextlib
import random
import runpy
import sys
import warnings
from collections import Counter

import pytest
import torch
from bombs import BOMBS, UNSAFE_READERS
from PIL import EpsImagePlugin, Image
from tally import LONG, keep
from targets import targets, trial

from fsclib import runs
from fsclib.data.pixels.decoding import decode
from fsclib.runs.assemble import images_of
from fsclib.runs.environment import environment

CUTS = 12 if LONG else 1  # places at which a genuine file is cut and followed by a bomb


def test_genuine_files_are_read(tmp_path, monkeypatch):
    for name, target in targets(tmp_path, monkeypatch).items():
        content = target.file.read_bytes()
        assert trial(name, target, lambda file, content=content: file.write_bytes(content)) == target.outcome


def test_no_bomb_goes_off(tmp_path, monkeypatch):
    marker, outcomes, chance = tmp_path / "marker", Counter(), random.Random(1)
    for name, target in targets(tmp_path / "files", monkeypatch).items():
        genuine = target.file.read_bytes()
        for kind, make in BOMBS.items():
            bomb = make(marker)
            found = trial(f"{name}, {kind}", target, lambda file, bomb=bomb: file.write_bytes(bomb))
            assert found != "read", (name, kind)
            outcomes[found] += 1
            for cut in (len(genuine), *(chance.randrange(len(genuine)) for _ in range(CUTS))):
                content = genuine[:cut] + bomb
                outcomes[trial(f"{name}, {kind} at {cut}", target, lambda file, content=content: file.write_bytes(content))] += 1
            assert not marker.exists(), (name, kind)
    keep("hostile files", "bombs", outcomes)


@pytest.mark.parametrize("kind", UNSAFE_READERS)
def test_bombs_go_off_in_unsafe_readers(tmp_path, kind):
    marker = tmp_path / "marker"
    UNSAFE_READERS[kind](BOMBS[kind](marker))
    assert marker.exists()


@pytest.fixture
def command(monkeypatch, capfd):
    """command(module, words…) runs a program in this process as `python -m` does; returns its exit status and its message."""

    def _command(module, *words):
        monkeypatch.setattr(sys, "argv", [module, *map(str, words)])
        code = None
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
            try:
                runpy.run_module(module, run_name="__main__", alter_sys=True)  # which warns that the module is already imported
            except SystemExit as error:
                code = error.code
        said = capfd.readouterr()
        return code, code if isinstance(code, str) else said.err or said.out

    return _command


PROGRAMS = {  # hostile file → the program that reads it
    "results/llcm/run/config.json": ("fsclib.runs",),
    "results/llcm/run/log.csv": ("fsclib.runs",),
    "results/llcm/run/metrics.json": ("fsclib.runs", "llcm", "run"),
    "grid.yaml": ("workbook.sweep", "{home}/grid.yaml"),
    "data/LLCM2/corpus.json": ("synthpeople", "--layout", "llcm", "--out", "{home}/data/LLCM2", "--identities", "4"),
}


def test_programs_end_with_a_message_and_no_traceback(tmp_path, monkeypatch, command):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    targets(tmp_path, monkeypatch)
    (tmp_path / "data/LLCM2").mkdir()
    marker, outcomes = tmp_path / "marker", Counter()
    for file, (module, *words) in PROGRAMS.items():
        target = tmp_path / file
        genuine = target.read_bytes() if target.exists() else b""
        for kind, make in BOMBS.items():
            target.write_bytes(make(marker))
            status, message = command(module, *(word.format(home=tmp_path) for word in words))
            assert status not in (0, None) or message.startswith("left out: "), (file, kind)
            assert "Traceback" not in message, (file, kind)
            assert target.name in message or target.parent.name in message, (file, kind)
            assert len(message) < 2000, (file, kind)
            outcomes["one message"] += 1
        target.write_bytes(genuine)
    assert not marker.exists()
    keep("hostile files", "bombs given to programs", outcomes)


def test_run_does_not_resume_from_a_bomb(home, tiny, command):
    config, marker = tiny(name="mine", epochs=1), home / "marker"
    run = runs.begin(config, environment(torch.device("cpu"), torch.float32, images_of(config)))
    words = [word for name, value in config.to_dict().items() for word in (f"--{name}", str(value))]
    run.checkpoint("last").write_bytes(BOMBS["torch"](marker))
    status, message = command("fsclib.training", *words)
    assert "last.safetensors: not a readable checkpoint" in message, (status, message)
    assert not marker.exists()


def test_no_image_is_passed_to_an_interpreter(tmp_path, monkeypatch):
    """Pillow would pass PostScript to Ghostscript, whatever the name of the file."""
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'marker'}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    content = BOMBS["PostScript"](tmp_path / "marker")
    (tmp_path / "x.jpg").write_bytes(content)
    with Image.open(tmp_path / "x.jpg") as image, contextlib.suppress(OSError):  # this Ghostscript makes no picture
        image.load()
    assert (tmp_path / "marker").exists()  # what Pillow does by itself
    (tmp_path / "marker").unlink()
    with pytest.raises(ValueError, match="not an image"):
        decode(content, 8, 8)
    assert not (tmp_path / "marker").exists()
