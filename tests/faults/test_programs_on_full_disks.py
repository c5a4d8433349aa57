"""Programs on full and read-only disks end with a message and an exit status, before any work where possible, and the same command
completes once the disk is repaired."""

import json

import pytest
from disks import full, mounted, read_only
from programs import TINY, end, is_one_message, start, training, until
from safetensors.torch import load_file
from tally import LONG, keep
from writers import notebook

from fsclib.config.specs import DATASETS

KINDS = {"full": full, "read-only": read_only}


@pytest.fixture
def disk(corpora):
    """A home on a small disk of its own, with a link to a corpus on another disk; cache and results are on the small one."""
    with mounted(160) as folder:
        (folder / "data").mkdir()
        (folder / "data" / DATASETS["llcm"].folder).symlink_to(corpora / "data" / DATASETS["llcm"].folder)
        yield folder


def refused(disk, kind, *words):
    with KINDS[kind](disk):
        status, out, errors = end(start(disk, *words))
    assert status not in (0, None), out
    assert is_one_message(errors), errors
    assert str(disk) in errors, errors
    assert ("free some space" if kind == "full" else "grant write access there") in errors, errors
    return out


def completes(disk, *words):
    status, out, errors = end(start(disk, *words))
    assert status == 0, errors
    assert not list(disk.rglob("*.part"))
    return out


@pytest.mark.parametrize("kind", KINDS if LONG else ["full"])
def test_training_does_not_start_on_a_broken_disk(disk, kind):
    out = refused(disk, kind, *training("a"))
    assert out == ""  # nothing was decoded
    assert not (disk / "data" / "cache").exists()
    if LONG:
        completes(disk, *training("a"))
    keep("disk", f"python -m fsclib.training, {kind}", {"refused before decoding and completed afterwards": 1})


@pytest.mark.skipif(not LONG, reason="three trainings: make test-faults")
def test_disk_that_fills_up_during_a_training(disk, tmp_path):
    checkpoints = disk / "results/llcm/a/checkpoints"
    process = start(disk, *training("a", epochs=6, decay=3))
    until((checkpoints / "last.safetensors").exists, process)
    with full(disk):
        status, out, errors = end(process)
    assert status == 1, out
    assert is_one_message(errors), errors
    assert "free some space" in errors.lower()
    assert not list(disk.rglob("*.part"))
    assert not (disk / "results/llcm/a/metrics.json").exists()
    assert "resuming after epoch" in completes(disk, *training("a", epochs=6, decay=3))
    (tmp_path / "data").symlink_to(disk / "data")
    completes(tmp_path, *training("a", epochs=6, decay=3))
    found, expected = (load_file(home / "results/llcm/a/checkpoints/last.safetensors") for home in (disk, tmp_path))
    assert all(bool((found[name] == value).all()) for name, value in expected.items())
    keep("disk", "full after the first checkpoint", {"stopped with a remedy, then completed with the same weights": 1})


@pytest.mark.parametrize("kind", KINDS if LONG else ["full"])
def test_other_programs(disk, kind):
    (disk / "notebooks").mkdir()
    notebook(disk / "notebooks")
    corpus = ["synthpeople", "--layout", "llcm", "--out", disk / "corpus", "--identities", "12", "--images", "1"]
    programs = [["workbook.html_report", disk / "notebooks"], [*corpus, "--height", "64", "--width", "24", "--workers", "2"]]
    for words in programs if LONG else programs[1:]:
        refused(disk, kind, *words)
        completes(disk, *words)
    assert not [path for path in (disk / "corpus").rglob(".*") if path.is_file()]
    keep("disk", f"other programs, {kind}", {"refused with a remedy, then completed": len(programs)})


@pytest.mark.skipif(not LONG, reason="four notebooks: make test-faults")
def test_sweep(disk, tmp_path):
    file = tmp_path / "two.yaml"
    file.write_text(json.dumps({"fixed": TINY, "grids": [{"modules": ["none", "channel"]}], "seeds": [0]}))
    words = ["workbook.sweep", file, "--workers", "1"]
    for kind in KINDS:
        assert refused(disk, kind, *words) == ""  # before the first run
    process = start(disk, *words)
    until(lambda: list(disk.glob("results/llcm/two-*/checkpoints/last.safetensors")), process)
    with full(disk):
        status, out, errors = end(process)
    assert status != 0, out
    assert "Traceback" not in errors, errors
    assert "2 of 2 done" in completes(disk, *words, "--retry")
    outcomes = {"refused before the first run": 2, "stopped in the middle, completed with --retry": 1}
    keep("disk", "python -m workbook.sweep, full and read-only", outcomes)
