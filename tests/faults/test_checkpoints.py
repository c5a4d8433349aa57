"""Checkpoints that would take far more memory or time than their size suggests are refused before torch reads them."""

import io
from collections import OrderedDict

import pytest
import torch
from checkpoints import BYTEARRAY, CHECKPOINTS, archive, bytes_of
from memory import limited
from tally import keep

from fsclib.models import torchfile
from fsclib.models.backbone import BACKBONES

ROOM = 1 << 30  # bytes of memory beyond what the process has


@pytest.fixture(autouse=True)
def little_memory():
    with limited(ROOM):
        yield


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_hostile_checkpoint_is_never_passed_to_torch(tmp_path, monkeypatch, name):
    (tmp_path / "x").write_bytes(CHECKPOINTS[name]())
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("passed to torch"))
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- any message
        torchfile.load(tmp_path / "x")
    assert 0 < len(str(caught.value)) < 500
    keep("hostile files", "checkpoints", {"refused": 1})


def test_bytearray_is_a_bomb_in_torch():
    """torch alone turns as few bytes into a large object."""
    content = archive(bytes_of(100_000_000))
    assert len(content) == len(archive(BYTEARRAY)) < 600
    assert len(torch.load(io.BytesIO(content), weights_only=True)) == 100_000_000


def published() -> dict:
    """A checkpoint as the published programs save it: a network wrapped for several devices, with plain values beside it."""
    net = torch.nn.DataParallel(BACKBONES["resnet18-half"].build())
    half = torch.arange(12.0).reshape(3, 4).half().t()
    extra = {"parameter": torch.nn.Parameter(torch.ones(2)), "view": half, "scalar": torch.tensor(3), "none": torch.zeros(0, 3)}
    return {"net": OrderedDict(net.state_dict()), "epoch": 3, "map": 0.5, "best": (1, [2.0, None, True]), "extra": extra}


@pytest.mark.parametrize("new", [True, False])
def test_genuine_checkpoints_are_read(tmp_path, new):
    saved = published()
    torch.save(saved, tmp_path / "x", _use_new_zipfile_serialization=new)
    found = torchfile.load(tmp_path / "x")
    assert found["net"].keys() == saved["net"].keys()
    for part in ("net", "extra"):
        assert all(torch.equal(found[part][name], value) for name, value in saved[part].items())
    assert (found["epoch"], found["map"], found["best"]) == (3, 0.5, (1, [2.0, None, True]))


def test_optimizers_and_tensors_of_many_dtypes_are_read(tmp_path):
    net = torch.nn.Linear(3, 2)
    adam = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    adam.step()
    kinds = (
        torch.float64,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
        torch.complex64,
    )
    saved = {"optimizer": adam.state_dict(), "kinds": [torch.ones(2, dtype=kind) for kind in kinds], "size": torch.Size([2, 3])}
    torch.save(saved, tmp_path / "x")
    found = torchfile.load(tmp_path / "x")
    assert [tensor.dtype for tensor in found["kinds"]] == list(kinds)
    assert found["size"] == torch.Size([2, 3])
    assert torch.equal(found["optimizer"]["state"][0]["exp_avg"], saved["optimizer"]["state"][0]["exp_avg"])
