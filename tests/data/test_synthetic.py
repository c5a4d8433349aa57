"""Synthetic corpora: the same bytes whoever draws them, layouts as PROTOCOLS has them, resumed and refused as they should."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fsclib.data import datasets, synthetic
from fsclib.data.drawing import DRAWING
from fsclib.data.drawing.identity import UPPER_PATTERNS
from fsclib.data.synthetic import Corpus, write_corpus

PEOPLE, SEED = 10, 5
SMALL = {"images": 2, "height": 64, "width": 24, "workers": 1, "progress": False}


def written(folder: Path, layout: str = "llcm", identities: int = PEOPLE, seed: int = SEED, **options) -> Path:
    write_corpus(folder, layout, identities, seed, **{**SMALL, **options})
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def images(files: dict[str, bytes]) -> set[str]:
    return {path for path in files if path.endswith((".jpg", ".bmp"))}


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
    return request.param, written(tmp_path_factory.mktemp(request.param) / "corpus", request.param)


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
    parameters = Corpus(layout, PEOPLE, SEED, SMALL["images"], None, SMALL["height"], SMALL["width"], 1.0)
    for shot in parameters.plan().shots[-1::-97]:
        assert parameters.image(shot) == (folder / shot.path).read_bytes()


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
    assert [int(row["identity"]) for row in rows] == list(range(1, PEOPLE + 1))
    assert {row["upper_pattern"] for row in rows} <= UPPER_PATTERNS.keys()
    assert all(re.fullmatch("[0-9a-f]{6}", row["lower_mark"]) for row in rows)
    assert len({tuple(row.values())[1:] for row in rows}) == PEOPLE


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


def test_a_complete_corpus_is_not_drawn_again(llcm, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("drawn again")

    monkeypatch.setattr(synthetic, "draw_person", refuse)
    before = {path: path.stat().st_mtime_ns for path in llcm.rglob("*")}
    written(llcm)
    assert before == {path: path.stat().st_mtime_ns for path in llcm.rglob("*")}


def test_the_mark_holds_the_parameters(llcm):
    mark = json.loads((llcm / "corpus.json").read_text())
    assert mark["identities"] == PEOPLE
    assert mark["seed"] == SEED
    assert mark["drawing"] == DRAWING
    assert 0 < mark["train_share"] < 1


@pytest.mark.parametrize("changed", [{"seed": 6}, {"identities": 11}, {"layout": "sysu"}, {"height": 80}, {"hardness": 0.5}])
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
        ({"hardness": float("nan")}, "hardness is nan"),
        ({"workers": -1}, "workers is -1"),
        ({"train_share": 1.0}, "train_share is 1.0, expected a number between 0 and 1"),
        ({"layout": "regdb", "train_share": 0.7}, "trials halve the identities"),
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
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            synthetic.main(arguments)
        assert exit_.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_importing_brings_no_torch():
    check = "import sys, fsclib.data.synthetic; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], timeout=60).returncode == 0


def test_progress_is_one_line_where_nobody_watches(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FSCLIB_HEADLESS", "1")
    written(tmp_path / "c", identities=4, progress=True)
    assert len(capsys.readouterr().out.splitlines()) == 1
