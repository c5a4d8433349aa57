"""Synthetic corpora: reproducible bytes, masks and attributes, refused arguments, and the command line."""

import csv
import io
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from corpora import PEOPLE, SEED, SMALL, fake_draw, images, masks, tree, written
from PIL import Image

from fsclib.data import datasets
from fsclib.system.progress import progress
from synthpeople import __main__ as command_line
from synthpeople.corpus import Corpus
from synthpeople.drawing import DIFFICULTIES, DRAWING, PARTS

FEW = 6  # people of the corpora that are really drawn, the last of them a near twin


@pytest.fixture(scope="module")
def corpora_by_layout(tmp_path_factory):
    """Draws a corpus the first time that its layout is asked for."""
    return cache(lambda layout: written(tmp_path_factory.mktemp(layout) / "corpus", layout, FEW, masks=True))


@pytest.fixture(params=["sysu", "regdb", "llcm"])
def corpus(request, corpora_by_layout):
    return request.param, corpora_by_layout(request.param)


@pytest.fixture(scope="module")
def faked(tmp_path_factory):
    """A corpus in the layout of LLCM whose images are noise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthpeople.corpus.draw", fake_draw)
        return written(tmp_path_factory.mktemp("faked") / "corpus")


def test_two_workers_write_the_bytes_of_one(corpora_by_layout, tmp_path):
    assert tree(written(tmp_path / "b", "regdb", FEW, masks=True, workers=2)) == tree(corpora_by_layout("regdb"))


def test_another_seed_draws_other_people(corpora_by_layout, tmp_path):
    other, here = tree(written(tmp_path / "b", "sysu", 4, seed=SEED + 1)), tree(corpora_by_layout("sysu"))
    assert other["attributes.csv"] != here["attributes.csv"]
    pixels = {here[path] for path in images(here)}
    assert len(pixels) == len(images(here))  # no image twice
    assert not pixels & {other[path] for path in images(other)}


def test_an_image_drawn_alone_equals_the_one_in_the_corpus(corpus):
    layout, folder = corpus
    parameters = Corpus(layout, FEW, SEED, SMALL["images"], None, SMALL["height"], SMALL["width"], masks=True)
    for shot in parameters.plan().shots[-1::-27]:
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
    assert [int(row.pop("identity")) for row in rows] == list(range(1, FEW + 1))
    assert all(None not in (*row.keys(), *row.values()) and all(row.values()) for row in rows)
    assert len({tuple(row.values()) for row in rows}) == FEW


def test_every_image_has_a_mask(corpus):
    _, folder = corpus
    files = tree(folder)
    assert masks(files) == {f"masks/{Path(path).with_suffix('.png')}" for path in images(files)}
    assert json.loads(files["masks/parts.json"]) == {str(value): name for value, name in enumerate(PARTS)}


def test_masks_hold_the_parts_and_images_have_their_cameras_quality(tmp_path, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
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
    with_masks, without = tree(folder), tree(plain)
    assert {path: with_masks[path] for path in images(with_masks)} == {path: without[path] for path in images(without)}
    assert not (plain / "masks").exists()


def test_each_difficulty_reaches_the_drawing(tmp_path, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    drawn = [tree(written(tmp_path / difficulty, identities=4, difficulty=difficulty)) for difficulty in DIFFICULTIES]
    path = min(images(drawn[0]))
    assert len({files[path] for files in drawn}) == len(DIFFICULTIES)


def test_a_complete_corpus_is_not_drawn_again(faked, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("drawn again")

    monkeypatch.setattr("synthpeople.corpus.draw", refuse)
    before = {path: path.stat().st_mtime_ns for path in faked.rglob("*")}
    written(faked)
    assert before == {path: path.stat().st_mtime_ns for path in faked.rglob("*")}


def test_the_mark_holds_the_parameters(faked):
    mark = json.loads((faked / "corpus.json").read_text())
    assert mark["identities"] == PEOPLE
    assert mark["seed"] == SEED
    assert mark["drawing"] == DRAWING
    assert 0 < mark["train_share"] < 1
    assert (mark["difficulty"], mark["masks"], mark["full"]) == ("standard", False, False)
    assert Corpus(**mark) == Corpus("llcm", PEOPLE, SEED, SMALL["images"], None, SMALL["height"], SMALL["width"])


@pytest.mark.parametrize(("layout", "identities", "images"), [("sysu", 491, 44_745), ("regdb", 412, 8_240), ("llcm", 1064, 46_767)])
def test_a_full_corpus_has_the_size_of_the_original(layout, identities, images, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus._attributes", lambda seed, number, difficulty: {"seed": seed})
    corpus = Corpus(layout, seed=SEED, full=True)
    assert corpus.identities == identities
    plan = corpus.plan()
    assert len(plan.shots) == images
    assert len(plan.texts["attributes.csv"].splitlines()) == 1 + identities
    assert Corpus(layout, identities, SEED, train_share=None, full=True) == corpus != Corpus(layout, identities, SEED)


@pytest.mark.parametrize("changed", [{"seed": 6}, {"identities": 11}, {"layout": "sysu"}, {"height": 80}, {"train_share": 0.5}])
@pytest.mark.parametrize("complete", [True, False])
def test_a_corpus_of_other_parameters_is_refused(faked, tmp_path, monkeypatch, changed, complete):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    folder = tmp_path / "c"
    (folder / "nir").mkdir(parents=True)
    for path, content in tree(faked).items():
        if path.startswith(("nir", "idx")) or (complete and path == "corpus.json"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    before = tree(folder)
    with pytest.raises(FileExistsError, match="delete the folder or choose another"):
        written(folder, **changed)
    assert tree(folder) == before


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt.*not part of this corpus"):
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
        ({"difficulty": "street"}, "difficulty is 'street', expected one of easy, moderate, standard, hard, wide, mixed"),
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
def test_impossible_arguments_are_refused(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path / "c", **wrong)
    assert not (tmp_path / "c").exists()


def test_command_line(tmp_path, capsys, monkeypatch, faked):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    sizes = ["--images", "2", "--height", "64", "--width", "24", "--workers", "1"]
    command_line.main(["--layout", "llcm", "--out", str(tmp_path / "c"), "--identities", str(PEOPLE), "--seed", str(SEED), *sizes])
    assert tree(tmp_path / "c") == tree(faked)
    (tmp_path / "file").write_text("")
    for arguments in (
        ["--layout", "x", "--out", "y"],
        ["--layout", "llcm", "--out", str(tmp_path / "file" / "c"), "--identities", "4"],
        ["--layout", "llcm", "--out", str(tmp_path / "d"), "--full", "--identities", "4"],
        ["--layout", "llcm", "--out", str(tmp_path / "d"), "--difficulty", "street"],
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            command_line.main(arguments)
        assert exit_.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_generator_needs_numpy_and_pillow_only():
    code = (
        "import sys; from importlib.metadata import packages_distributions; before = set(sys.modules);"
        "import synthpeople.generate; from synthpeople.drawing import draw; draw(0, 1, 1, 'visible', 0, 48, 18);"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; known = packages_distributions();"
        "print(*sorted({package for name in new for package in known.get(name, [])}))"
    )
    packages = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout.split()
    assert set(packages) == {"fsclib", "numpy", "pillow"}


def test_progress_is_shown_by_tqdm_or_by_the_callers_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    written(tmp_path / "c", identities=4, progress=True)
    assert "100%" in capsys.readouterr().err
    monkeypatch.setenv("FSCLIB_HEADLESS", "1")
    written(tmp_path / "d", identities=4, progress=progress)
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert not captured.err


def test_test_people_may_have_more_images():
    def number(split, **values):
        plan = Corpus("llcm", 12, **values).plan()
        return sum(shot.path.startswith("test_") == (split == "test") for shot in plan.shots)

    assert number("train", images=1, test_images=3) == number("train", images=1)
    assert number("test", images=1, test_images=3) == 3 * number("test", images=1)
    mark = Corpus("llcm", 12, images=1, test_images=3).mark
    assert mark["test_images"] == 3
    assert "test_images" not in Corpus("llcm", 12, images=1).mark
    for values in ({"layout": "regdb"}, {"layout": "llcm", "full": True}):
        with pytest.raises(ValueError, match=r"test_images is 2, but .* has the original's; leave it out"):
            Corpus(**values, test_images=2)
