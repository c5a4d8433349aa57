"""Unfinished corpora: killed runs are completed without redrawing finished images; other corpora are left alone."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from corpora import fake_draw, images, masks, tree, written

from synthpeople import rendering
from synthpeople.corpus import Corpus

# RegDB has two cameras only, so that little time goes into their backgrounds
WHOLE = {"layout": "regdb", "identities": 12, "seed": 0, "masks": True}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return written(tmp_path_factory.mktemp("uninterrupted") / "c", **WHOLE)


def test_a_killed_run_is_resumed(uninterrupted, tmp_path):
    folder = tmp_path / "c"
    shutil.copytree(uninterrupted, folder)
    whole = tree(folder)
    gone = sorted(images(whole))[1::3]
    for path in gone[1:]:
        (folder / path).unlink()
    (folder / gone[0]).write_bytes(b"")
    (folder / "corpus.json").unlink()
    (folder / "idx/test_thermal_1.txt").unlink()
    (folder / gone[1]).with_name(f".{Path(gone[1]).name}.123.part").write_bytes(b"\xff\xd8 half")
    kept = folder / sorted(images(whole))[0]
    before = kept.stat().st_mtime_ns
    written(folder, **WHOLE)
    assert tree(folder) == whole
    assert kept.stat().st_mtime_ns == before


def test_an_image_is_drawn_again_where_its_mask_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", identities=4, masks=True)
    whole = tree(folder)
    drawn = []
    monkeypatch.setattr("synthpeople.corpus.draw", lambda *arguments: drawn.append(arguments) or fake_draw(*arguments))
    gone = sorted(masks(whole))[3::5]
    for path in gone:
        (folder / path).unlink()
    (folder / "masks/parts.json").unlink()
    written(folder, identities=4, masks=True)
    assert tree(folder) == whole
    assert len(drawn) == len(set(drawn)) == len(gone) > 3


@pytest.mark.parametrize("complete", [True, False])
def test_a_corpus_with_masks_is_refused_without_masks(tmp_path, monkeypatch, complete):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", identities=4, masks=True)
    if not complete:
        (folder / "corpus.json").unlink()
    before = tree(folder)
    with pytest.raises(FileExistsError, match=r"masks.*delete the folder or choose another"):
        written(folder, identities=4)
    assert tree(folder) == before


@pytest.mark.parametrize("parameters", [{"difficulty": "hard"}, {"height": 80}, {"masks": True, "difficulty": "easy"}])
def test_one_image_reveals_an_unfinished_corpus_of_other_parameters(tmp_path, monkeypatch, parameters):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", identities=4)
    for path in folder.glob("*.*"):
        path.unlink()  # corpus.json and attributes.csv
    before = tree(folder)
    with pytest.raises(FileExistsError, match="of other parameters, see"):
        written(folder, **{"identities": 4, **parameters})
    assert tree(folder) == before


def command(folder: Path) -> list[str]:
    """Writes the corpus WHOLE with two workers."""
    sizes = ["--identities", "12", "--height", "64", "--width", "24", "--masks", "--workers", "2"]
    return [sys.executable, "-m", "synthpeople", "--layout", "regdb", "--out", str(folder), *sizes]


def workers_of(process: subprocess.Popen) -> list[int]:
    listed = subprocess.run(["pgrep", "-f", "-P", str(process.pid), "spawn_main"], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


needs_pgrep = pytest.mark.skipif(shutil.which("pgrep") is None, reason="needs pgrep to find the workers")


@pytest.mark.parametrize("victim", ["group", pytest.param("worker", marks=needs_pgrep), "parent"])
def test_a_run_killed_at_any_moment_is_completed(uninterrupted, tmp_path, victim):
    folder, whole = tmp_path / "c", tree(uninterrupted)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command(folder), start_new_session=True, **pipes)
    enough, deadline = random.randint(1, len(images(whole)) // 3), time.monotonic() + 120
    while len(list(folder.rglob("*.bmp"))) < enough and time.monotonic() < deadline:
        time.sleep(0.01)
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid if victim == "parent" else workers_of(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)  # returns once the last worker has closed the pipe too
    assert process.returncode == (2 if victim == "worker" else -signal.SIGKILL)
    if victim == "worker":
        assert "a process that draws has died" in errors
    left = tree(folder)
    assert enough <= len(images(left)) < len(images(whole)), "killed too early or too late"
    assert "corpus.json" not in left

    lost = folder / min(images(whole) - images(left))
    lost.with_name(f".{lost.name}.1.part").touch()  # killed before the first byte
    written(folder, **WHOLE)
    assert tree(folder) == whole


def test_only_a_few_chunks_are_under_way_at_a_time(tmp_path, monkeypatch):
    under_way = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers, **spawning):
            super().__init__(workers)
            self.submitted = []

        def submit(self, *call):
            self.submitted.append(super().submit(*call))
            under_way.append(sum(not future.done() for future in self.submitted))
            return self.submitted[-1]

    def draw_slowly(out, corpus, shots):
        time.sleep(0.001)
        return len(shots)

    monkeypatch.setattr(rendering, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(rendering, "draw_files", draw_slowly)
    shots = Corpus("regdb", 90).plan().shots
    assert sum(rendering.draw_all(str(tmp_path), Corpus("regdb", 90), shots, 2)) == len(shots) == 1800
    assert len(under_way) > 50
    assert max(under_way) <= 4


@pytest.mark.parametrize(
    ("people", "requested", "expected"), [(1, 0, []), (12, 0, [3]), (90, 0, [8]), (90, 3, [3]), (90, 1, []), (2, 9, [2])]
)
def test_all_cores_draw_if_there_is_enough_to_draw(tmp_path, monkeypatch, people, requested, expected):
    started = []

    def pool(workers, **spawning):
        started.append(workers)
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr(rendering, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(rendering, "usable_cores", lambda: 8)
    monkeypatch.setattr(rendering, "draw_files", lambda out, corpus, shots: len(shots))
    corpus = Corpus("regdb", 90)
    shots = corpus.plan().shots[: 20 * people]
    assert sum(rendering.draw_all(str(tmp_path), corpus, shots, requested)) == len(shots)
    assert started == expected
