"""A trained network as a function: pictures in any form give the vectors that retrieval compares; anything else is refused."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fsclib
from fsclib.data.images import open_images
from fsclib.data.records import select
from fsclib.models import weights
from fsclib.retrieval.features import embed
from synthpeople.generate import write_corpus

PLAIN = {"device": "cpu", "precision": "float32"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    write_corpus(root, "llcm", 6, 1, images=1, height=96, width=36, workers=1, progress=False)
    return root


@pytest.fixture(scope="module")
def embedder():
    return fsclib.load("people/fsc", **PLAIN)


def test_vectors_match_those_that_retrieval_compares(corpus, embedder, tmp_path):
    images = open_images("llcm", embedder.size, root=corpus, workers=1, cache_dir=tmp_path, show=False)
    rows = select(images.records, "test", "infrared")[:5]
    features = embed(embedder.net, images, rows, embedder.device, embedder.precision, show=False)
    expected = torch.nn.functional.normalize(features.joined(rows, True), dim=1).numpy()
    found = embedder.embed([corpus / path for path in images.records["path"].iloc[rows]], "infrared")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_paths_pictures_arrays_and_tensors_give_the_same(corpus, embedder):
    path = next(corpus.rglob("*.jpg"))
    picture = Image.open(path)
    array = np.asarray(picture.convert("RGB"))
    found = embedder.embed([path, str(path), picture, array, torch.from_numpy(array.copy())], "visible")
    np.testing.assert_allclose(found, found[:1].repeat(5, 0), atol=1e-6)
    other = embedder.embed([path], "infrared")
    assert not np.allclose(found[:1], other, atol=1e-3)  # the other stem


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
def test_thermal_pictures_give_the_same_as_their_files(embedder, tmp_path, mode):
    kinds = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}
    ramp = np.linspace(7500, 8300, 96 * 36).reshape(96, 36).astype(kinds[mode])
    picture = Image.frombytes(mode, (36, 96), ramp.tobytes())
    picture.save(tmp_path / "a.tiff")
    levels = np.linspace(0, 255, 96 * 36).round().astype(np.uint8).reshape(96, 36, 1).repeat(3, 2)
    found = embedder.embed([picture, tmp_path / "a.tiff", levels], "infrared")
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    assert found[0] @ found[2] > 0.999
    even = embedder.embed([np.full((96, 36, 3), 255, np.uint8)], "infrared")  # what clipping at 255 would leave
    assert found[0] @ even[0] < 0.99


@pytest.mark.parametrize("name", [name for name in weights.names() if name != weights.TRUNK])
def test_every_network_that_ships_can_be_loaded(name):
    size = weights.card(name)["image"]
    found = fsclib.load(name, **PLAIN).embed([np.zeros((*size, 3), np.uint8)], "visible")
    assert np.isfinite(found).all()


def test_a_run_is_loaded_from_its_folder(home, tiny):
    run = fsclib.fit(tiny(name="loaded"))
    found = fsclib.load(run.folder, **PLAIN)
    assert found.size == (run.config.height, run.config.width)
    assert found.embed([np.zeros((8, 8, 3), np.uint8)], "visible").shape[0] == 1


@pytest.mark.parametrize(
    ("images", "modality", "message"),
    [
        ([np.zeros((8, 8, 3), np.uint8)], "thermal", "modality: found 'thermal', expected visible or infrared"),
        ("a.jpg", "visible", "put it into a list"),
        ([np.zeros((8, 8, 3))], "visible", r"picture 0: found float64 \(8, 8, 3\)"),
        ([np.zeros((8, 8), np.uint8)], "visible", "picture 0: found uint8"),
        ([Image.fromarray(np.full((8, 8), np.nan, np.float32))], "infrared", "picture 0: pixels that are not finite numbers"),
        (["nowhere.jpg", 3], "visible", "(?s)picture 0: nowhere.jpg cannot be read.*picture 1: found 3"),
    ],
)
def test_wrong_pictures_and_modalities_are_reported(embedder, images, modality, message):
    with pytest.raises(ValueError, match=message):
        embedder.embed(images, modality)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("people/nobody", "expected one of people/trunk"),
        ("people/trunk", "can only initialise a training"),
        ("nowhere", "folder of a run"),
    ],
)
def test_sources_without_a_network_are_refused(source, message):
    with pytest.raises(ValueError, match=message):
        fsclib.load(source)


def test_the_lines_of_the_readme_run(corpus, tmp_path):
    """All lines except the training."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    block = next(block for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S) if "fsclib.load" in block)
    files = sorted(corpus.rglob("*.jpg"))
    for name in ("a.jpg", "b.jpg", "c.png"):
        Image.open(files[0]).save(tmp_path / name)
    program = [sys.executable, "-c", block[: block.index("run = ")]]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[") == 2
