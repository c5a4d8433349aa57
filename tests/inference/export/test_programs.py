"""Exported programs compute what the network computes, for batches of any size, and hold nothing else."""

import io
import sys
import zipfile

import numpy as np
import pytest
import torch
from small_networks import SIZE, embedder

from fsclib.inference.export.card import INPUT
from fsclib.inference.export.errors import ExportError
from fsclib.inference.export.programs import Vectors, onnx_model, torch_file, torch_program
from fsclib.inference.export.runner import session
from fsclib.models.networks import TwoStream

pytest.importorskip("onnxscript", reason="needs the extra fsclib[export]")
BATCHES = (1, 2, 7)


def noise(number):
    return np.random.default_rng(number).integers(0, 256, (number, *SIZE, 3), np.uint8)


@pytest.fixture(scope="module", params=["fsc", "deen", "agw", "twostream", "zeropad"])
def traced(request):
    """An embedder, the modality that was exported, and the program."""
    found = embedder(request.param)
    modality = "infrared" if request.param == "deen" else "visible"
    return found, modality, torch_program(Vectors(found.net, modality, mirror=True), *SIZE)


def test_onnx_runtime_gives_the_vectors_of_the_embedder_in_batches_of_any_size(traced):
    network, modality, program = traced
    model = onnx_model(program)
    opened = session(model.SerializeToString(), threads=1)
    assert opened.get_inputs()[0].shape == ["batch", *SIZE, 3]
    assert b".py" not in model.SerializeToString()  # stack traces with paths of this machine
    for number in BATCHES:
        (found,) = opened.run(None, {INPUT: noise(number)})
        expected = network.embed(list(noise(number)), modality)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("traced", ["fsc"], indirect=True)
def test_a_torch_file_holds_no_pickle_and_gives_the_vectors_of_the_embedder(traced):
    network, modality, program = traced
    content = torch_file(program)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files.pop("archive/data/sample_inputs/model.pt") == b""  # the only entry that torch would pickle
    assert not [name for name, data in files.items() if b'"use_pickle": true' in data]
    assert not [name for name, data in files.items() if name.endswith("model.json") and b".py" in data]
    loaded = torch.export.load(io.BytesIO(content)).module()
    for number in BATCHES:
        found = loaded(torch.from_numpy(noise(number))).numpy()
        np.testing.assert_allclose(found, network.embed(list(noise(number)), modality), atol=1e-5)


def test_a_program_holds_neither_the_other_stem_nor_the_classifier(traced):
    _, modality, program = traced
    names = [name for name, _ in program.named_parameters()]
    other = "infrared_stem" if modality == "visible" else "visible_stem"
    assert any("layers" in name for name in names)
    assert not [name for name in names if other in name or "classifier" in name]


def test_the_network_itself_is_left_as_it_was(traced):
    network, _, _ = traced
    assert network.net.classifier.weight.shape[0] == 5
    assert not any(getattr(part, "matrix_products", False) for part in network.net.modules())


class Fixed(TwoStream):
    def pooled(self, low):
        return super().pooled(low).view(len(low), -1)  # len makes the size of the batch a constant


def test_a_network_for_batches_of_one_size_is_refused():
    network = Fixed(5, stages=3, backbone="resnet18-half")
    with pytest.raises(ExportError, match="Fixed cannot be traced"):
        torch_program(Vectors(network, "visible", mirror=False), *SIZE)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_extra_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError, match=rf"{package} is not installed.*pip install 'fsclib\[export\]'"):
        onnx_model(None)
