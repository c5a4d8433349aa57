"""A trained network as a function: pictures in any form give the vectors that retrieval compares; anything else is refused."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from original import NETWORKS, state_of
from PIL import Image

import fsclib
from fsclib.data.images import open_images
from fsclib.data.records import select
from fsclib.inference.embedder import ranked, read_embeddings
from fsclib.inference.embedder.loading import embedding_state
from fsclib.models import weights
from fsclib.models.networks import build_model
from fsclib.models.official import load_official
from fsclib.retrieval.features import embed
from synthpeople.generate import write_corpus

PLAIN = {"device": "cpu", "precision": "float32"}
BLACK = np.zeros((8, 8, 3), np.uint8)
FURTHER = pytest.mark.long("a further ResNet-50")


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


@pytest.mark.parametrize("name", [name for name in weights.names() if name != weights.TRUNK])
def test_every_network_that_ships_can_be_loaded(name):
    size = weights.card(name)["image"]
    found = fsclib.load(name, **PLAIN).embed([np.zeros((*size, 3), np.uint8)], "visible")
    assert np.isfinite(found).all()


def test_a_run_is_loaded_from_its_folder_or_from_a_checkpoint_in_it(trained):
    run = trained(epochs=1)
    found = fsclib.load(run.folder, **PLAIN)
    assert found.size == (run.config.height, run.config.width)
    assert found.embed([BLACK], "visible").shape[0] == 1
    assert fsclib.load(run.checkpoint("last"), **PLAIN).digest == found.digest  # the first epoch is the best one


@pytest.mark.parametrize(
    ("key", "dataset"), [pytest.param("fsc_llcm", "llcm", marks=FURTHER), ("deen_regdb", "regdb"), ("agw", "sysu")]
)
def test_a_published_checkpoint_is_loaded_with_the_options_of_its_program(tmp_path, key, dataset):
    name = key.partition("_")[0]
    state = state_of(key)
    torch.save({"net": state, "mAP": np.float64(0.5)}, tmp_path / "best.t")
    found = fsclib.load(tmp_path / "best.t", network=name, dataset=dataset, **PLAIN)
    assert found.size == ((288, 144) if name == "agw" else (384, 144))
    assert len(found.net.layers) == (3 if dataset == "regdb" else 4)
    expected = build_model(name, NETWORKS[key]["num_classes"], stages=len(found.net.layers)).eval()
    load_official(expected, state)
    assert found.digest == weights.digest_of(embedding_state(expected))


def test_a_published_checkpoint_needs_its_network_and_data_set(tmp_path):
    torch.save({"net": {}}, tmp_path / "best.t")
    with pytest.raises(ValueError, match=r"(?s)say what the checkpoint was trained with.*network: found ''.*dataset: found 'demo'"):
        fsclib.load(tmp_path / "best.t", dataset="demo")
    with pytest.raises(ValueError, match="found 0 classifiers among 0 entries, expected the checkpoint of a published network"):
        fsclib.load(tmp_path / "best.t", network="agw", dataset="sysu")


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


def test_a_picture_without_finite_values_is_left_out(embedder, caplog):
    assert len(embedder.embed([BLACK, Image.fromarray(np.full((8, 8), np.nan, np.float32))], "infrared")) == 1
    assert "picture 1: pixels that are not finite numbers" in caplog.text


def test_unreadable_files_are_named_and_the_others_embedded(corpus, embedder, tmp_path, caplog):
    good = sorted(corpus.rglob("*.jpg"))[:3]
    (tmp_path / "broken.jpg").write_bytes(good[0].read_bytes()[:200])
    found = embedder.embed([good[0], tmp_path / "broken.jpg", "nowhere.png", *good[1:]], "visible", batch=2)
    assert list(found.names) == list(map(str, good))
    np.testing.assert_allclose(found, embedder.embed(good, "visible"), atol=1e-6)
    for told in ("left out 2 pictures", "broken.jpg: cannot be decoded", "nowhere.png: cannot be read: No such file"):
        assert told in caplog.text
    with pytest.raises(ValueError, match="none of 1 can be used, such as nowhere"):
        embedder.embed(["nowhere.png"], "visible")


def test_a_folder_is_embedded_file_by_file(corpus, embedder, tmp_path, caplog):
    files = sorted(corpus.rglob("*.jpg"))[:3]
    for name, file in zip(("b.jpg", "a.PNG", "below/c.jpeg"), files, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.open(file).save(tmp_path / name)
    for name in ("notes.txt", ".hidden.jpg", ".thumbnails/a.jpg", "__MACOSX/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = embedder.embed(tmp_path, "visible")
    assert list(found.names) == [str(tmp_path / name) for name in ("a.PNG", "b.jpg", "below/c.jpeg")]
    assert "left out 1 picture:" in caplog.text
    assert "notes.txt: does not end in .jpg" in caplog.text
    with pytest.raises(ValueError, match="has no file that ends in"):
        embedder.embed(corpus / "idx", "visible")


def test_ranked_lists_are_those_of_the_matrix_of_cosines(corpus, embedder, monkeypatch):
    files = sorted(corpus.rglob("*.jpg"))
    queries, gallery = embedder.embed(files[:3], "infrared"), embedder.embed(files[3:11], "visible")
    monkeypatch.setattr(ranked, "BLOCK", 1)
    found = embedder.rank(queries, gallery, k=5)
    assert list(found.columns) == ["query", "rank", "match", "similarity"]
    cosines = np.asarray(queries @ gallery.T)
    order = np.argsort(-cosines, axis=1)[:, :5]
    assert found["match"].tolist() == [str(files[3 + column]) for column in order.ravel()]
    np.testing.assert_allclose(found["similarity"], np.take_along_axis(cosines, order, 1).ravel(), rtol=1e-6)
    assert found["rank"].tolist() == [1, 2, 3, 4, 5] * 3
    assert len(embedder.rank(files[:3], files[3:11], k=100)) == 24  # pictures, and no more ranks than pictures
    turned = embedder.rank(files[:1], files[3:11], k=1, direction="vis2ir")["similarity"]
    assert turned.item() == pytest.approx(
        float((embedder.embed(files[:1], "visible") @ embedder.embed(files[3:11], "infrared").T).max())
    )


def test_ranked_lists_are_drawn(corpus, embedder):
    files = sorted(corpus.rglob("*.jpg"))
    array = np.asarray(Image.open(files[0]).convert("RGB"))
    found = embedder.rank([array, files[1]], files[2:8], k=4)
    figure = found.figure(queries=2, length=3)
    assert [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()] == ["picture 0", _shortened(files[1].name)]
    assert [len(axis.images) for axis in figure.axes] == [1] * 8
    assert not any(axis.patches for axis in figure.axes)  # nobody knows who is who
    assert len(found[found["rank"] == 1].figure().axes) == 4
    with pytest.raises(ValueError, match="empty table"):
        found.head(0).figure()


def _shortened(name):
    last = name[-24:]
    return "\n".join(last[at : at + 12] for at in range(0, len(last), 12))


def test_saved_embeddings_can_be_searched_again_by_the_same_network(corpus, embedder, tmp_path):
    files = sorted(corpus.rglob("*.jpg"))
    gallery = embedder.embed(files[2:8], "visible")
    assert gallery.save(tmp_path / "kept") == tmp_path / "kept"
    found = read_embeddings(tmp_path / "kept")
    np.testing.assert_array_equal(found, gallery)
    assert (list(found.names), found.modality, found.network) == (list(gallery.names), "visible", embedder.digest)
    expected = embedder.rank(files[:2], gallery)
    assert embedder.rank(files[:2], tmp_path / "kept").equals(expected)
    other = fsclib.load("people/agw", **PLAIN)
    with pytest.raises(ValueError, match="gallery: was made by another network"):
        other.rank(files[:2], tmp_path / "kept")
    with pytest.raises(ValueError, match="queries: has lost the names of its pictures"):
        embedder.rank(gallery[:2], gallery)
    with pytest.raises(ValueError, match="found 0 names for 2 vectors"):
        gallery[:2].save(tmp_path / "kept")


@pytest.mark.parametrize("broken", ["card.json", "pictures.csv", "vectors.npy"])
def test_saved_embeddings_that_do_not_belong_together_are_refused(embedder, tmp_path, broken):
    embedder.embed([BLACK, BLACK], "visible").save(tmp_path)
    content = {"card.json": "{}", "pictures.csv": "name\na\n", "vectors.npy": "x"}[broken]
    (tmp_path / broken).write_text(content)
    with pytest.raises(ValueError, match=r"no saved embeddings|expected float32 \(1"):
        read_embeddings(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k: found 0, expected a whole number from 1"),
        ({"k": 2.0}, "k: found 2.0"),
        ({"direction": "ir"}, "direction: found 'ir', expected ir2vis or vis2ir"),
    ],
)
def test_impossible_rankings_are_refused(embedder, options, message):
    with pytest.raises(ValueError, match=message):
        embedder.rank([BLACK], [BLACK], **options)


@pytest.mark.parametrize(
    ("images", "modality", "message"),
    [
        ([np.zeros((8, 8, 3), np.uint8)], "thermal", "modality: found 'thermal', expected visible or infrared"),
        ("a.jpg", "visible", "found 'a.jpg', expected a folder, or a list of paths"),
        ("", "visible", "found '', expected a folder"),
        (__file__, "visible", "put a single picture into a list"),
        (BLACK, "visible", "put it into a list"),
        ([np.zeros((8, 8, 3))], "visible", r"picture 0: found float64 \(8, 8, 3\)"),
        ([np.zeros((8, 8), np.uint8)], "visible", "picture 0: found uint8"),
        (["nowhere.jpg", 3, None], "visible", "(?s)picture 1: found 3.*picture 2: found None"),
        ([], "visible", "none of 0 can be used"),
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
    text = (Path(__file__).parents[3] / "README.md").read_text()
    block = next(block for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S) if "fsclib.load" in block)
    files = sorted(corpus.rglob("*.jpg"))
    for name in ("a.jpg", "b.jpg", "c.png"):
        Image.open(files[0]).save(tmp_path / name)
    program = [sys.executable, "-c", block[: block.index("run = ")]]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[") == 2
