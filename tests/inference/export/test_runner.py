"""The runner reads an exported folder without torch, and refuses folders, files and pictures that do not fit."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fsclib.inference.export import Exported
from fsclib.inference.export.card import INPUT, MODALITIES, OUTPUT, Card, write_card
from fsclib.inference.export.errors import ExportError
from fsclib.inference.export.runner import session

onnx = pytest.importorskip("onnx", reason="needs the extra fsclib[export]")
pytest.importorskip("onnxruntime", reason="needs the extra fsclib[export]")
HEIGHT, WIDTH = 6, 4


def means(height=HEIGHT, width=WIDTH):
    """A model in place of a network: uint8 (B, height, width, 3) to the mean of each colour, (B, 3)."""
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", [INPUT], ["real"], to=kinds.FLOAT),
        helper.make_node("ReduceMean", ["real", "axes"], [OUTPUT], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info(INPUT, kinds.UINT8, ["batch", height, width, 3])],
        [helper.make_tensor_value_info(OUTPUT, kinds.FLOAT, ["batch", 3])],
        [helper.make_tensor("axes", kinds.INT64, [2], [1, 2])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def write(folder, content, **values):
    """An exported folder with the same model for both modalities."""
    for modality in MODALITIES:
        (folder / f"{modality}.onnx").write_bytes(content)
    hashes = dict.fromkeys(MODALITIES, hashlib.sha256(content).hexdigest())
    facts = {
        "format": "onnx", "quantise": "none", "mirror": True, "height": HEIGHT, "width": WIDTH, "dimensions": 3,
        "least_cosine": 1.0, "source": "means", "weights": "", "files": hashes, "fsclib": "", "torch": "",
    }  # fmt: skip
    write_card(folder, Card(**facts | values))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, means())
    return tmp_path


def test_paths_pictures_and_arrays_give_the_same_in_batches_of_any_size(folder):
    exported = Exported(folder, threads=1)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 5, 3), np.uint8))
    picture.save(folder / "a.png")
    expected = np.asarray(picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), np.float32).mean((0, 1))
    found = exported.embed([folder / "a.png", str(folder / "a.png"), picture, np.asarray(picture)], "infrared", batch=3)
    np.testing.assert_allclose(found, np.tile(expected, (4, 1)), rtol=1e-5)
    assert exported.size == (HEIGHT, WIDTH)


def test_no_pictures_give_no_vectors(folder):
    assert Exported(folder).embed([], "visible").shape == (0, 3)


def test_the_runner_needs_no_torch(folder):
    program = f"""
import sys
import numpy as np
import fsclib.inference.export.runner
exported = fsclib.inference.export.runner.Exported({str(folder)!r})
print(exported.embed([np.full((8, 8, 3), 7, np.uint8)], "visible"), {{"torch", "pandas"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[[7.", "7.", "7.]]", "set()"]


@pytest.mark.parametrize(
    ("images", "modality", "message"),
    [
        ([np.zeros((8, 8, 3), np.uint8)], "thermal", "modality: found 'thermal', expected visible or infrared"),
        ("a.jpg", "visible", "found .a.jpg., expected a folder, or a list of paths"),
        (["nowhere.jpg"], "visible", "nowhere.jpg: cannot be read: No such file"),
        ([np.zeros((8, 8, 3))], "visible", "picture 0: found float64"),
    ],
)
def test_wrong_pictures_and_modalities_are_reported(folder, images, modality, message):
    with pytest.raises(ValueError, match=message):
        Exported(folder).embed(images, modality)


def test_a_modified_file_is_refused(folder):
    (folder / "infrared.onnx").write_bytes(means()[:-1])
    with pytest.raises(ExportError, match=r"infrared\.onnx: truncated or modified \(found SHA-256"):
        Exported(folder)


def test_a_missing_file_is_refused(folder):
    (folder / "visible.onnx").unlink()
    with pytest.raises(ExportError, match=r"visible\.onnx: cannot be read"):
        Exported(folder)


def test_a_model_for_images_of_another_size_is_refused(tmp_path):
    write(tmp_path, means(height=5))
    with pytest.raises(ExportError, match=r"found input \['batch', 5, 4, 3\], expected \['batch', 6, 4, 3\]"):
        Exported(tmp_path)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    write(tmp_path, b"no model")
    with pytest.raises(ExportError, match="ONNX Runtime cannot open the model"):
        Exported(tmp_path)


def test_an_export_for_torch_is_refused(tmp_path):
    write(tmp_path, b"", format="torch")
    with pytest.raises(ExportError, match=r"found format 'torch', expected 'onnx'; open its \.pt2 files"):
        Exported(tmp_path)


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"found no model\.json"):
        Exported(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": "6", "mirror": None}, "(?s)mirror: found None, expected bool.*height: found '6', expected int"),
        ({"width": 0}, "width: found 0, expected at least 1"),
        ({"format": "../x"}, "format: found '../x', expected onnx or torch"),
        ({"files": {}}, r"files: found \[\], expected visible and infrared"),
    ],
)
def test_every_problem_of_a_card_is_reported(folder, changes, message):
    file = folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(ExportError, match=message):
        Exported(folder)


def test_a_card_that_is_not_json_is_refused(folder):
    (folder / "model.json").write_text("[")
    with pytest.raises(ExportError, match=r"model\.json: cannot be read"):
        Exported(folder)


def test_a_missing_runtime_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"onnxruntime is not installed.*pip install 'fsclib\[export\]'"):
        session(b"")
