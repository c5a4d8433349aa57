"""Synthetic corpora: the same bytes whoever draws them, layouts as PROTOCOLS has them, resumed and refused as they should."""

import csv
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fsclib.data import datasets, drafting, synthetic
from fsclib.data.corpus import Corpus
from fsclib.data.drawing import DIFFICULTIES, DRAWING, PARTS, Drawn
from fsclib.data.synthetic import write_corpus

PEOPLE, SEED = 10, 5
SMALL = {"images": 2, "height": 64, "width": 24, "workers": 1, "progress": False}


def written(folder: Path, layout: str = "llcm", identities: int = PEOPLE, seed: int = SEED, **options) -> Path:
    write_corpus(folder, layout, identities, seed, **{**SMALL, **options})
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def images(files: dict[str, bytes]) -> set[str]:
    return {path for path in files if path.endswith((".jpg", ".bmp"))}


def masks(files: dict[str, bytes]) -> set[str]:
    return {path for path in files if path.endswith(".png")}


def fake_draw(seed, identity, camera, modality, index, height, width, difficulty):
    """Stands in for the renderer: quick, and different wherever an argument is."""
    key = seed, identity, camera, ("visible", "infrared", "thermal").index(modality), index, list(DIFFICULTIES).index(difficulty)
    rng = np.random.default_rng(key)
    parts = rng.integers(0, len(PARTS), (height, width), np.uint8)
    return Drawn(rng.integers(0, 256, (height, width, 3), np.uint8), parts, 20 + 10 * camera)


def numbers(text: bytes) -> list[int]:
    lines = text.decode().splitlines()
    assert len(lines) == 1
    return [int(word) for word in lines[0].split(",")]


def index(text: bytes) -> dict[str, int]:
    pairs = [line.split(" ") for line in text.decode().splitlines()]
    assert len({path for path, _ in pairs}) == len(pairs)
    return {path: int(label) for path, label in pairs}


@pytest.fixture(scope="module", params=["sysu", "regdb", "llcm"])
def corpus(request, tmp_path_factory):
    return request.param, written(tmp_path_factory.mktemp(request.param) / "corpus", request.param, masks=True)


@pytest.fixture(scope="module")
def llcm(tmp_path_factory):
    return written(tmp_path_factory.mktemp("llcm") / "corpus")


def test_two_workers_write_the_bytes_of_one(llcm, tmp_path):
    assert tree(written(tmp_path / "b", workers=2)) == tree(llcm)


def test_another_seed_draws_other_people(llcm, tmp_path):
    other, here = tree(written(tmp_path / "b", identities=4, seed=SEED + 1)), tree(llcm)
    assert other["attributes.csv"] != here["attributes.csv"]
    pixels = {here[path] for path in images(here)}
    assert len(pixels) == len(images(here))  # no image twice
    assert not pixels & {other[path] for path in images(other)}


def test_one_image_alone_is_the_one_in_the_corpus(corpus):
    layout, folder = corpus
    parameters = Corpus(layout, PEOPLE, SEED, SMALL["images"], None, SMALL["height"], SMALL["width"], masks=True)
    for shot in parameters.plan().shots[-1::-97]:
        files = parameters.files(shot)
        assert len(files) == 2
        assert all(content == (folder / path).read_bytes() for path, content in files.items())


def test_readers_find_nothing_wrong(corpus):
    layout, folder = corpus
    dataset = datasets.open_dataset(layout, folder)
    assert not dataset.problems
    assert set(dataset.records["modality"]) == {"visible", "infrared"}
    assert len(dataset.records) == len(images(tree(folder)))


def test_infrared_has_no_chroma_and_visible_has(corpus):
    layout, folder = corpus
    infrared = re.compile({"sysu": r"cam[36]/", "regdb": "Thermal/", "llcm": "(test_)?nir/"}[layout])
    for path in images(tree(folder)):
        pixels = np.asarray(Image.open(folder / path)).astype(int)
        assert pixels.shape == (SMALL["height"], SMALL["width"], 3)
        spread = np.ptp(pixels, axis=2).max()
        assert spread == 0 if infrared.match(path) else spread > 20, path


def test_every_identity_has_attributes(corpus):
    _, folder = corpus
    rows = list(csv.DictReader((folder / "attributes.csv").open()))
    assert [int(row.pop("identity")) for row in rows] == list(range(1, PEOPLE + 1))
    assert all(None not in (*row.keys(), *row.values()) and all(row.values()) for row in rows)
    assert len({tuple(row.values()) for row in rows}) == PEOPLE


def test_every_image_has_a_mask(corpus):
    _, folder = corpus
    files = tree(folder)
    assert masks(files) == {f"masks/{Path(path).with_suffix('.png')}" for path in images(files)}
    assert json.loads(files["masks/parts.json"]) == {str(value): name for value, name in enumerate(PARTS)}


def test_masks_hold_the_parts_and_images_have_their_cameras_quality(tmp_path, monkeypatch):
    monkeypatch.setattr("fsclib.data.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", identities=4, masks=True)
    plain = written(tmp_path / "d", identities=4)
    palettes = set()
    for shot in Corpus("llcm", 4, SEED, SMALL["images"], None, SMALL["height"], SMALL["width"]).plan().shots:
        drawn = fake_draw(SEED, shot.identity, shot.camera, shot.modality, shot.index, SMALL["height"], SMALL["width"], "standard")
        file = io.BytesIO()
        Image.fromarray(drawn.pixels).save(file, "JPEG", quality=drawn.quality, subsampling=0)
        assert (folder / shot.path).read_bytes() == file.getvalue()
        with Image.open(folder / "masks" / Path(shot.path).with_suffix(".png")) as mask:
            assert mask.mode == "P"
            assert np.array_equal(np.asarray(mask), drawn.parts)
            palettes.add(tuple(mask.getpalette()[: 3 * len(PARTS)]))
    (palette,) = palettes
    assert len({palette[start : start + 3] for start in range(0, len(palette), 3)}) == len(PARTS)
    assert {path: content for path, content in tree(folder).items() if path in images(tree(folder))} == {
        path: content for path, content in tree(plain).items() if path in images(tree(plain))
    }
    assert not (plain / "masks").exists()


def test_each_difficulty_reaches_the_drawing(tmp_path, monkeypatch):
    monkeypatch.setattr("fsclib.data.corpus.draw", fake_draw)
    drawn = [tree(written(tmp_path / difficulty, identities=4, difficulty=difficulty)) for difficulty in DIFFICULTIES]
    path = min(images(drawn[0]))
    assert len({files[path] for files in drawn}) == len(DIFFICULTIES)


def test_sysu_layout(tmp_path):
    files = tree(written(tmp_path / "c", "sysu", 20))
    lists = {split: numbers(files.pop(f"exp/{split}_id.txt")) for split in ("train", "val", "test")}
    assert sorted(who for people in lists.values() for who in people) == list(range(1, 21))
    assert min(map(len, lists.values())) >= 2
    assert files.keys() == images(files) | {"corpus.json", "attributes.csv"}
    seen = [re.fullmatch(r"cam([1-6])/(\d{4})/(\d{4})\.jpg", path) for path in images(files)]
    cameras = {who: {int(m[1]) for m in seen if int(m[2]) == who} for who in range(1, 21)}
    assert {int(m[3]) for m in seen} == {1, 2}
    assert all(passed & {1, 2, 4, 5} and passed & {3, 6} for passed in cameras.values())
    assert any(passed < {1, 2, 3, 4, 5, 6} for passed in cameras.values())
    assert set.union(*cameras.values()) == {1, 2, 3, 4, 5, 6}


def test_regdb_layout(tmp_path):
    people = 7
    files = tree(written(tmp_path / "c", "regdb", people, images=99))
    assert len(images(files)) == people * 10 * 2
    halvings = set()
    for trial in range(1, 11):
        in_trial, owners = [], {}
        for split in ("train", "test"):
            listed = {name: index(files[f"idx/{split}_{name}_{trial}.txt"]) for name in ("visible", "thermal")}
            for name, entries in listed.items():
                in_trial += entries
                found = [re.fullmatch(rf"{name.title()}/(\d+)/[^/]+\.bmp", path) for path in entries]
                people_of = {label: {m[1] for m in found if entries[m[0]] == label} for label in entries.values()}
                assert list(people_of) == list(range(len(people_of)))  # labels count from 0
                assert all(len(one) == 1 for one in people_of.values())
                assert set(np.bincount(list(entries.values()))) == {10}
                owners[split, name] = frozenset(who for one in people_of.values() for who in one)
            assert owners[split, "visible"] == owners[split, "thermal"]
        assert sorted(in_trial) == sorted(images(files))  # so the halves are disjoint and nothing is missing
        assert len(owners["train", "visible"]) == people // 2
        halvings.add(owners["train", "visible"])
    assert len(halvings) > 1
    assert len(files) == len(images(files)) + 40 + 2


def test_llcm_layout(tmp_path):
    files = tree(written(tmp_path / "c", "llcm", 24, train_share=0.5))
    test = numbers(files["idx/test_id.txt"])
    assert len(test) == 12
    train, cameras = {}, {}
    for short in ("vis", "nir"):
        listed = index(files[f"idx/train_{short}.txt"])
        name = rf"(\d{{4}})_c0([1-9])_s\d{{6}}_f\d{{4,}}_{short}\.jpg"
        for path, label in listed.items():
            found = re.fullmatch(rf"{short}/(\d{{4}})/{name}", path)
            assert found[1] == found[2]
            train[short, int(found[1])] = label
        tested = {path for path in images(files) if path.startswith(f"test_{short}/")}
        for path in tested:
            found = re.fullmatch(rf"test_{short}/cam([1-9])/(\d{{4}})/{name}", path)
            assert (found[1], found[2]) == (found[4], found[3])
            cameras.setdefault((short, int(found[2])), set()).add(int(found[1]))
        assert listed.keys() | tested == {path for path in images(files) if f"{short}/" in path}
    people = sorted({who for _, who in train})
    assert sorted(people + test) == list(range(1, 25))
    assert all(train["vis", who] == train["nir", who] == label for label, who in enumerate(people))
    assert set.union(*(cameras["nir", who] for who in test)) == {1, 2, 4, 5, 6, 7, 8, 9}
    assert set.union(*(cameras["vis", who] for who in test)) == set(range(1, 10))
    assert all(len(cameras["nir", who]) > 1 < len(cameras["vis", who]) < 9 for who in test)


def test_a_killed_run_is_taken_up(llcm, tmp_path):
    folder = written(tmp_path / "c")
    whole = tree(folder)
    gone = sorted(images(whole))[1::3]
    for path in gone[1:]:
        (folder / path).unlink()
    (folder / gone[0]).write_bytes(b"")
    (folder / "corpus.json").unlink()
    (folder / "idx/test_id.txt").unlink()
    (folder / gone[1]).with_name(f".{Path(gone[1]).name}.123.part").write_bytes(b"\xff\xd8 half")
    kept = folder / sorted(images(whole))[0]
    before = kept.stat().st_mtime_ns
    written(folder)
    assert tree(folder) == whole == tree(llcm)
    assert kept.stat().st_mtime_ns == before


def test_an_image_is_drawn_again_where_its_mask_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("fsclib.data.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", identities=4, masks=True)
    whole = tree(folder)
    drawn = []
    monkeypatch.setattr("fsclib.data.corpus.draw", lambda *arguments: drawn.append(arguments) or fake_draw(*arguments))
    gone = sorted(masks(whole))[3::5]
    for path in gone:
        (folder / path).unlink()
    (folder / "masks/parts.json").unlink()
    written(folder, identities=4, masks=True)
    assert tree(folder) == whole
    assert len(drawn) == len(set(drawn)) == len(gone) > 3


@pytest.mark.parametrize("complete", [True, False])
def test_a_corpus_with_masks_is_none_without(tmp_path, monkeypatch, complete):
    monkeypatch.setattr("fsclib.data.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", identities=4, masks=True)
    if not complete:
        (folder / "corpus.json").unlink()
    before = tree(folder)
    with pytest.raises(FileExistsError, match=r"masks.*delete the folder or choose another"):
        written(folder, identities=4)
    assert tree(folder) == before


@pytest.mark.parametrize("parameters", [{"difficulty": "hard"}, {"height": 80}, {"masks": True, "difficulty": "easy"}])
def test_one_image_tells_an_unfinished_corpus_of_other_parameters(tmp_path, monkeypatch, parameters):
    monkeypatch.setattr("fsclib.data.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", identities=4)
    for path in folder.glob("*.*"):
        path.unlink()  # corpus.json and attributes.csv
    before = tree(folder)
    with pytest.raises(FileExistsError, match="of other parameters, see"):
        written(folder, **{"identities": 4, **parameters})
    assert tree(folder) == before


def command(folder: Path, workers: int) -> list[str]:
    sizes = ["--identities", "12", "--images", "2", "--height", "64", "--width", "24", "--masks", "--workers", str(workers)]
    return [sys.executable, "-m", "fsclib.data.synthetic", "--layout", "llcm", "--out", str(folder), *sizes]


def workers_of(process: subprocess.Popen) -> list[int]:
    listed = subprocess.run(["pgrep", "-f", "-P", str(process.pid), "spawn_main"], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "c"
    subprocess.run(command(folder, 1), check=True, timeout=300, capture_output=True)
    return tree(folder)


needs_pgrep = pytest.mark.skipif(shutil.which("pgrep") is None, reason="pgrep finds the workers")


@pytest.mark.parametrize("victim", ["group", pytest.param("worker", marks=needs_pgrep), "parent"])
def test_a_run_killed_at_any_moment_is_completed(undisturbed, tmp_path, victim):
    folder = tmp_path / "c"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command(folder, 2), start_new_session=True, **pipes)
    enough, patience = random.randint(1, len(images(undisturbed)) // 3), time.monotonic() + 120
    while len(list(folder.rglob("*.jpg"))) < enough and time.monotonic() < patience:
        time.sleep(0.001)
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid if victim == "parent" else workers_of(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)  # returns when the last worker has closed the pipe too
    assert process.returncode == (2 if victim == "worker" else -signal.SIGKILL)
    if victim == "worker":
        assert "a process that draws has died" in errors
    left = tree(folder)
    assert enough <= len(images(left)) < len(images(undisturbed)), "killed before or after, not half-way"
    assert "corpus.json" not in left

    (folder / f"vis/{min((folder / 'vis').iterdir()).name}/.x.jpg.1.part").touch()  # killed before the first byte
    subprocess.run(command(folder, 2), check=True, timeout=300, capture_output=True)
    assert tree(folder) == undisturbed


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

    monkeypatch.setattr(drafting, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(drafting, "draw_files", draw_slowly)
    shots = Corpus("regdb", 90).plan().shots
    assert sum(drafting.draw_all(str(tmp_path), Corpus("regdb", 90), shots, 2)) == len(shots) == 1800
    assert len(under_way) > 50
    assert max(under_way) <= 4


@pytest.mark.parametrize(
    ("people", "asked", "expected"), [(1, 0, []), (12, 0, [3]), (90, 0, [8]), (90, 3, [3]), (90, 1, []), (2, 9, [2])]
)
def test_all_cores_draw_where_there_is_enough_to_draw(tmp_path, monkeypatch, people, asked, expected):
    started = []

    def pool(workers, **spawning):
        started.append(workers)
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr(drafting, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(drafting, "usable_cores", lambda: 8)
    monkeypatch.setattr(drafting, "draw_files", lambda out, corpus, shots: len(shots))
    corpus = Corpus("regdb", 90)
    shots = corpus.plan().shots[: 20 * people]
    assert sum(drafting.draw_all(str(tmp_path), corpus, shots, asked)) == len(shots)
    assert started == expected


def test_a_complete_corpus_is_not_drawn_again(llcm, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("drawn again")

    monkeypatch.setattr("fsclib.data.corpus.draw", refuse)
    before = {path: path.stat().st_mtime_ns for path in llcm.rglob("*")}
    written(llcm)
    assert before == {path: path.stat().st_mtime_ns for path in llcm.rglob("*")}


def test_the_mark_holds_the_parameters(llcm):
    mark = json.loads((llcm / "corpus.json").read_text())
    assert mark["identities"] == PEOPLE
    assert mark["seed"] == SEED
    assert mark["drawing"] == DRAWING
    assert 0 < mark["train_share"] < 1
    assert (mark["difficulty"], mark["masks"], mark["full"]) == ("standard", False, False)
    assert Corpus(**mark) == Corpus("llcm", PEOPLE, SEED, SMALL["images"], None, SMALL["height"], SMALL["width"])


@pytest.mark.parametrize(("layout", "identities", "images"), [("sysu", 491, 44_745), ("regdb", 412, 8_240), ("llcm", 1064, 46_767)])
def test_a_full_corpus_has_the_size_of_the_original(layout, identities, images, monkeypatch):
    monkeypatch.setattr("fsclib.data.corpus._attributes", lambda seed, number, difficulty: {"seed": seed})
    corpus = Corpus(layout, seed=SEED, full=True)
    assert corpus.identities == identities
    plan = corpus.plan()
    assert len(plan.shots) == images
    assert len(plan.texts["attributes.csv"].splitlines()) == 1 + identities
    assert Corpus(layout, identities, SEED, train_share=None, full=True) == corpus != Corpus(layout, identities, SEED)


@pytest.mark.parametrize("changed", [{"seed": 6}, {"identities": 11}, {"layout": "sysu"}, {"height": 80}, {"train_share": 0.5}])
@pytest.mark.parametrize("complete", [True, False])
def test_a_corpus_of_other_parameters_is_refused(llcm, tmp_path, changed, complete):
    folder = tmp_path / "c"
    (folder / "nir").mkdir(parents=True)
    for path, content in tree(llcm).items():
        if path.startswith(("nir", "idx")) or (complete and path == "corpus.json"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    before = tree(folder)
    with pytest.raises(FileExistsError, match="delete the folder or choose another"):
        written(folder, **changed)
    assert tree(folder) == before


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt.*no part of this corpus"):
        written(tmp_path)
    with pytest.raises(FileExistsError, match="is a file"):
        written(tmp_path / "notes.txt")
    assert tree(tmp_path) == {"notes.txt": b"mine"}


@pytest.mark.parametrize("mark", ["", "[]", "{"])
def test_a_broken_mark_is_refused(tmp_path, mark):
    (tmp_path / "corpus.json").write_text(mark)
    with pytest.raises(FileExistsError, match="does not describe a corpus"):
        written(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"identities": 3}, "identities is 3, expected a whole number from 4"),
        ({"identities": 5.5}, "identities is 5.5"),
        ({"layout": "market"}, "layout is 'market', expected one of sysu, regdb, llcm"),
        ({"seed": -1}, "seed is -1"),
        ({"images": 0}, "images is 0"),
        ({"width": 1}, "width is 1"),
        ({"difficulty": "street"}, "difficulty is 'street', expected one of easy, standard, hard"),
        ({"masks": "no"}, "masks is 'no', expected one of False, True"),
        ({"workers": -1}, "workers is -1"),
        ({"train_share": 1.0}, "train_share is 1.0, expected a number between 0 and 1"),
        ({"layout": "regdb", "train_share": 0.7}, "trials halve the identities"),
        ({"full": True, "images": None}, "identities is 10, but a full corpus has the original's 1064; leave out identities"),
        ({"full": True, "identities": 1064}, "images is 2, but a full corpus has as many as the original"),
        ({"full": True, "identities": None, "layout": "regdb"}, "images is 2, but a full corpus has the original's 10"),
        ({"full": True, "identities": None, "images": None, "train_share": 0.5}, "train_share is 0.5, but a full corpus has"),
    ],
)
def test_impossible_arguments(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path / "c", **wrong)
    assert not (tmp_path / "c").exists()


def test_command_line(tmp_path, capsys, llcm):
    sizes = ["--images", "2", "--height", "64", "--width", "24", "--workers", "1"]
    synthetic.main(["--layout", "llcm", "--out", str(tmp_path / "c"), "--identities", str(PEOPLE), "--seed", str(SEED), *sizes])
    assert tree(tmp_path / "c") == tree(llcm)
    (tmp_path / "file").write_text("")
    for arguments in (
        ["--layout", "x", "--out", "y"],
        ["--layout", "llcm", "--out", str(tmp_path / "file" / "c"), "--identities", "4"],
        ["--layout", "llcm", "--out", str(tmp_path / "d"), "--full", "--identities", "4"],
        ["--layout", "llcm", "--out", str(tmp_path / "d"), "--difficulty", "street"],
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            synthetic.main(arguments)
        assert exit_.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_importing_brings_no_torch():
    check = "import sys, fsclib.data.synthetic; sys.exit(not {'torch', 'pandas', 'matplotlib'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", check], timeout=60).returncode == 0


def test_progress_is_one_line_where_nobody_watches(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FSCLIB_HEADLESS", "1")
    written(tmp_path / "c", identities=4, progress=True)
    assert len(capsys.readouterr().out.splitlines()) == 1
