"""The lines of docs/export.md run; impossible options are refused before a network is loaded."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_networks import SIZE, embedder

from fsclib.inference.export import Exported, export
from fsclib.inference.export.errors import ExportError

pytest.importorskip("onnxscript", reason="needs the extra fsclib[export]")
pytest.importorskip("onnxruntime", reason="needs the extra fsclib[export]")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", (Path(__file__).parents[3] / "docs" / "export.md").read_text(), re.M | re.S)


@pytest.fixture(scope="module")
def network():
    return embedder("twostream", stages=3)


@pytest.fixture
def place(network, tmp_path, monkeypatch):
    """The working folder, with the pictures of the documentation; its network is replaced by a small one."""
    draw = np.random.default_rng(0)
    for name in ("a.jpg", "b.jpg", "c.png"):
        Image.fromarray(draw.integers(0, 256, (*SIZE, 3), np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fsclib.inference.export.exporting.load", lambda source, **options: network)
    return tmp_path


def block(word):
    (found,) = (block for block in BLOCKS if word in block)
    return found.replace("192, 72", ", ".join(map(str, SIZE)))


def test_the_onnx_lines_of_the_documentation_give_the_vectors_of_the_embedder(network, place, capfd):
    names = {}
    exec(block("Exported("), names)
    np.testing.assert_allclose(names["vectors"], network.embed(["a.jpg", "b.jpg"], "visible"), atol=1e-5)
    assert sorted(file.name for file in (place / "exported").iterdir()) == ["infrared.onnx", "model.json", "visible.onnx"]
    card = Exported("exported").card
    assert (card.source, card.quantise, card.dimensions) == ("people/fsc", "none", names["vectors"].shape[1])
    assert card.least_cosine > 0.9999
    assert capfd.readouterr() == ("", "")  # torch's exporter reports its steps unless told not to


def test_the_8_bit_lines_of_the_documentation_give_nearly_the_vectors_of_the_embedder(network, place):
    exec(block("calibration ="), {})
    exported = Exported("exported-int8")
    for names, modality in ((["a.jpg", "b.jpg"], "visible"), (["c.png"], "infrared")):
        cosines = (exported.embed(names, modality) * network.embed(names, modality)).sum(1)
        assert cosines.min() >= exported.card.least_cosine - 1e-5 > 0.98
        assert cosines.max() < 0.999999  # it is quantised
    weights = sum(value.nbytes for value in network.net.layers.state_dict().values() for value in [value.numpy()])
    assert (place / "exported-int8" / "visible.onnx").stat().st_size < weights / 2


def test_the_torch_lines_of_the_documentation_run(place):
    names = {}
    exec(block("format="), names)
    np.testing.assert_allclose(names["vectors"].norm(dim=1).numpy(), 1, rtol=1e-5)


def test_a_mirror_image_is_optional(network, place):
    file, *_ = export(network, "plain", format="torch", mirror=False)
    picture = np.asarray(Image.open("a.jpg"))
    found = torch.export.load(file).module()(torch.from_numpy(picture.copy())[None]).numpy()
    np.testing.assert_allclose(found, network.embed([picture], "visible", mirror=False), atol=1e-5)
    assert np.abs(found - network.embed([picture], "visible")).max() > 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "tflite", "quantise": "int4"}, "(?s)format: found 'tflite', expected onnx or torch.*quantise: found 'int4'"),
        ({"quantise": "int8"}, "calibration: found no visible or infrared pictures, which int8 needs"),
        ({"quantise": "int8", "calibration": {"visible": ["a.jpg"]}}, "found no infrared pictures"),
        ({"quantise": "int8", "format": "torch"}, "found 'int8' with format 'torch', expected format 'onnx'"),
        ({"calibration": {"visible": ["a.jpg"]}}, "found pictures with quantise 'none', expected 'int8'"),
        ({"calibration": {"thermal": ["a.jpg"]}}, r"calibration: found \['thermal'\], expected visible and infrared"),
    ],
)
def test_impossible_options_are_refused(tmp_path, options, message):
    with pytest.raises(ExportError, match=message):
        export("people/nobody", tmp_path / "exported", **options)
    assert not (tmp_path / "exported").exists()


def test_an_export_that_differs_from_the_network_is_refused(network, tmp_path, monkeypatch):
    monkeypatch.setattr("fsclib.inference.export.exporting.TOLERANCE", -1.0)
    with pytest.raises(ExportError, match=r"TwoStream: the export differs from the network by .*, expected at most"):
        export(network, tmp_path / "exported", format="torch")
    assert not (tmp_path / "exported").exists()
