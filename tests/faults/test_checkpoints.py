"""Checkpoints of others: what would take more memory or time than the file has bytes is refused before torch reads it."""

import io
from collections import OrderedDict

import pytest
import torch
from checkpoints import BYTEARRAY, CHECKPOINTS, archive, bytes_of
from memory import limited
from tally import keep

from fsclib.models import torchfile
from fsclib.models.backbone import BACKBONES

ROOM = 1 << 30  # bytes beyond what the process has


@pytest.fixture(autouse=True)
def little_memory():
    with limited(ROOM):
        yield


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_that_takes_more_than_it_holds_is_never_given_to_torch(tmp_path, monkeypatch, name):
    (tmp_path / "x").write_bytes(CHECKPOINTS[name]())
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("given to torch"))
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- of any message
        torchfile.load(tmp_path / "x")
    assert 0 < len(str(caught.value)) < 500
    keep("hostile files", "checkpoints", {"refused": 1})


def test_the_bytearray_is_a_bomb():
    """What torch makes of as few bytes by itself."""
    content = archive(bytes_of(100_000_000))
    assert len(content) == len(archive(BYTEARRAY)) < 600
    assert len(torch.load(io.BytesIO(content), weights_only=True)) == 100_000_000


def published() -> dict:
    """As the published programs save: a network wrapped for several devices, with plain values beside it."""
    net = torch.nn.DataParallel(BACKBONES["resnet18-half"].build(weights=None))
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


def test_optimizers_and_numbers_of_many_kinds_are_read(tmp_path):
    net = torch.nn.Linear(3, 2)
    own = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    own.step()
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
    saved = {"optimizer": own.state_dict(), "kinds": [torch.ones(2, dtype=kind) for kind in kinds], "size": torch.Size([2, 3])}
    torch.save(saved, tmp_path / "x")
    found = torchfile.load(tmp_path / "x")
    assert [one.dtype for one in found["kinds"]] == list(kinds)
    assert found["size"] == torch.Size([2, 3])
    assert torch.equal(found["optimizer"]["state"][0]["exp_avg"], saved["optimizer"]["state"][0]["exp_avg"])
