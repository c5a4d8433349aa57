"""Checkpoints as the trainers of FSC-Net, DEEN and AGW save them, with results as NumPy values, are read without running code."""

import io
import pickle
import re
import zipfile

import numpy as np
import pytest
import torch
from original import NETWORKS, state_of

from fsclib.models import torchfile
from fsclib.models.networks import build_model
from fsclib.models.official import load_official, read_official

SMALL = {"conv1.weight": torch.arange(12.0).reshape(3, 4), "bn1.num_batches_tracked": torch.tensor(7)}


def results(ranks=50):
    """What the trainers store beside the network: a CMC curve, mean average precision and inverse negative penalty, an epoch."""
    cmc = np.linspace(0.5, 1, ranks)
    return {"cmc": cmc, "mAP": np.float64(0.61), "mINP": np.mean(cmc.astype(np.float32)), "epoch": 120}


def saved(content, *, new=True, numpy1=False) -> bytes:
    """The bytes of torch.save, in the format since or before torch 1.6, and with the module names of NumPy 2 or 1."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=new)
    if not numpy1:
        return buffer.getvalue()
    if not new:
        return buffer.getvalue().replace(b"numpy._core", b"numpy.core")
    renamed = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(renamed, "w") as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry).replace(b"numpy._core", b"numpy.core"))
    return renamed.getvalue()


OTHERS = pytest.mark.long("further ResNet-50s; test_reference.py loads the same states")


@pytest.mark.parametrize("key", ["fsc_llcm", *(pytest.param(key, marks=OTHERS) for key in ("deen_llcm", "agw", "twostream"))])
def test_the_file_of_a_trainer_fills_the_network(tmp_path, key):
    state = state_of(key)
    (tmp_path / "best.t").write_bytes(saved({"net": state} | results()))
    net = build_model(key.partition("_")[0], NETWORKS[key]["num_classes"])
    load_official(net, read_official(tmp_path / "best.t"))
    expected = build_model(key.partition("_")[0], NETWORKS[key]["num_classes"])
    load_official(expected, state)
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("numpy1", [True, False])
def test_results_are_read_in_every_format(tmp_path, new, numpy1):
    odd = {"fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "big": np.arange(3, dtype=">i4"), "flag": np.True_}
    stored = results() | odd
    content = saved({"net": SMALL} | stored, new=new, numpy1=numpy1)
    assert (b"numpy.core" in content) == numpy1
    (tmp_path / "best.t").write_bytes(content)
    found = torchfile.load(tmp_path / "best.t")
    for name, value in stored.items():
        np.testing.assert_array_equal(found[name], value)
        assert type(found[name]) is type(value)
    assert read_official(tmp_path / "best.t").keys() == SMALL.keys()


@pytest.mark.parametrize("kind", ["?", "i1", "u2", "i4", "i8", "f2", "f4", "f8", "c8", "c16"])
def test_arrays_of_every_kind_of_number_are_read(tmp_path, kind):
    stored = {"array": np.array([[0, 1], [1, 0]], kind), "number": np.dtype(kind).type(1)}
    (tmp_path / "best.t").write_bytes(saved(stored))
    found = torchfile.load(tmp_path / "best.t")
    np.testing.assert_array_equal(found["array"], stored["array"])
    assert found["number"] == stored["number"]


@pytest.fixture(scope="module")
def small():
    """Two small networks of one kind, with different weights. The first must not be changed."""
    return [build_model("twostream", 5, backbone="resnet18-half") for _ in range(2)]


@pytest.mark.parametrize("holder", ["net", "state_dict", "model", None])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers_and_prefixes_are_removed(tmp_path, small, holder, prefix):
    own, other = small
    state = {prefix + published: value for published, value in as_published(own).items()}
    (tmp_path / "best.t").write_bytes(saved({holder: state} | results() if holder else state))
    with torch.no_grad():
        other.layers[3][1].conv2.weight.zero_()
        other.classifier.weight.zero_()
    load_official(other, read_official(tmp_path / "best.t"))
    assert all(torch.equal(value, own.state_dict()[name]) for name, value in other.state_dict().items())


def as_published(net) -> dict[str, torch.Tensor]:
    """The state of a two-stream network under the names of its original program."""
    names = {
        "visible_stem.conv.": "visible_module.visible.conv1.", "visible_stem.norm.": "visible_module.visible.bn1.",
        "infrared_stem.conv.": "thermal_module.thermal.conv1.", "infrared_stem.norm.": "thermal_module.thermal.bn1.",
        **{f"layers.{number}.": f"base_resnet.base.layer{number + 1}." for number in range(4)},
        "neck.": "bottleneck.", "classifier.": "classifier.",
    }  # fmt: skip
    own = net.state_dict()
    return {there + name.removeprefix(here): own[name] for here, there in names.items() for name in own if name.startswith(here)}


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


SCALAR, RECONSTRUCT = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]


ODD = {
    "Python objects": np.array([{}], object),
    "text": np.array(["text"]),
    "fields": np.zeros(2, [("a", "f4")]),
    "a date": np.datetime64("2020-01-01"),
    "a terabyte before its contents": Call(RECONSTRUCT, np.ndarray, (1 << 40,), b"b"),
    "a number of a terabyte": Call(SCALAR, np.dtype("f8"), Call(bytes, 1 << 40)),
    "a type of a terabyte": Call(np.dtype, "V1099511627776"),
    "zeros": Call(np.zeros, 1 << 40),
    "a file": Call(np.load, "file"),
    "a buffer": Call(np.frombuffer, b"ab"),
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_other_numpy_values_are_refused(tmp_path, value):
    for new in (True, False):
        (tmp_path / "odd.t").write_bytes(saved({"net": SMALL, "cmc": value}, new=new))
        with pytest.raises(ValueError, match="not a checkpoint of tensors") as caught:
            read_official(tmp_path / "odd.t")
        assert "weights_only" not in str(caught.value)


def test_an_array_longer_than_its_bytes_is_refused(tmp_path):
    content = saved({"cmc": np.zeros(20, np.int8)}, new=False)
    longer = content.replace(pickle.dumps(20, 2)[2:-1] + b"\x85", pickle.dumps(200, 2)[2:-1] + b"\x85")
    assert longer != content
    (tmp_path / "odd.t").write_bytes(longer)
    with pytest.raises(ValueError, match="buffer size does not match array size"):
        torchfile.load(tmp_path / "odd.t")


def test_no_message_advises_to_switch_the_check_off(tmp_path):
    """torch's own does, for a number with attributes for example."""
    with zipfile.ZipFile(io.BytesIO(saved({}))) as source, zipfile.ZipFile(tmp_path / "odd.t", "w") as target:
        for entry in source.infolist():
            number = entry.filename.endswith("data.pkl")
            target.writestr(entry.filename, b"\x80\x02}X\x01\x00\x00\x00aK\x05}bs." if number else source.read(entry))
    with pytest.raises(pickle.UnpicklingError, match="weights_only"):
        torch.load(tmp_path / "odd.t", weights_only=True)
    with pytest.raises(ValueError, match="torch cannot read it safely"):
        torchfile.load(tmp_path / "odd.t")


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ("base_resnet.base.layer1.0.bn1.IN.weight", "a ResNet-IBN"),
        ("visible_module.visible.conv1.0.weight", "a ResNet with a deep stem"),
        ("base_resnet.base.layer0.conv1.weight", "an SENet, or a ResNet in its layout"),
        ("base_resnet.base.layer2.0.downsample.1.conv.weight", "a ResNet-D, whose shortcuts average before they convolve"),
        ("module.base.blocks.3.attn.qkv.weight", "a vision transformer"),
        ("base.cls_token", "a vision transformer"),
    ],
)
def test_a_trunk_that_is_not_torchvisions_is_named_before_a_short_list(small, entry, kind):
    with pytest.raises(ValueError, match="does not fit") as error:
        load_official(small[0], {entry: torch.zeros(1)})
    first, *lines = str(error.value).splitlines()
    assert first == f"the trunk of this checkpoint is {kind}, not the ResNet of torchvision and the published programs;"
    entries = [line for line in lines if line.startswith("  ")]
    assert len(entries) == 21
    assert re.fullmatch(r"  … and \d+ more", entries[-1])


def test_a_checkpoint_of_torchvisions_resnet_is_not_taken_for_another(small):
    with pytest.raises(ValueError, match=r"^the checkpoint does not fit this network"):
        load_official(small[0], {"base_resnet.base.layer1.0.conv1.weight": torch.zeros(1)})
