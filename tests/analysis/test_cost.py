"""Costs of networks: operations and parameters against counts by hand, time and memory measured in separate processes."""

from concurrent.futures.process import BrokenProcessPool
from dataclasses import fields

import pytest
import torch
import torchvision
from torch import nn

from fsclib.analysis import cost
from fsclib.config import Config
from fsclib.config.strict import ConfigError
from fsclib.models.networks import NETWORKS, TwoStream
from fsclib.runs.assemble import network_of


@pytest.mark.parametrize(
    ("work", "by_hand"),
    [
        (lambda: nn.Conv2d(3, 8, 3, padding=1)(torch.ones(2, 3, 10, 6)), 2 * 8 * 3 * 9 * 10 * 6),
        (lambda: nn.Conv2d(3, 8, 3, stride=2, padding=1)(torch.ones(1, 3, 10, 6)), 8 * 3 * 9 * 5 * 3),
        (lambda: nn.Conv2d(8, 8, 7, padding=3, groups=8)(torch.ones(1, 8, 10, 6)), 8 * 49 * 10 * 6),
        (lambda: nn.Linear(5, 7)(torch.ones(4, 5)), 4 * 5 * 7),
        (lambda: torch.ones(3, 4, 5) @ torch.ones(3, 5, 6), 3 * 4 * 5 * 6),
        (lambda: torch.fft.rfft2(nn.BatchNorm2d(3)(torch.ones(2, 3, 8, 8))), 0),
    ],
    ids=["convolution", "stride", "depth-wise", "linear", "batched product", "not counted"],
)
def test_multiply_adds_match_a_count_by_hand(work, by_hand):
    assert cost.multiply_adds(work) == by_hand


def test_a_resnet50_has_the_commonly_reported_multiply_adds():
    with torch.device("meta"):
        net, images = torchvision.models.resnet50(), torch.empty(1, 3, 224, 224)
        assert cost.multiply_adds(lambda: net(images)) == pytest.approx(4.09e9, rel=1e-3)


@pytest.mark.parametrize("classes", [10, 1000])
def test_parameters_are_those_of_a_resnet50_with_a_second_stem_and_a_neck(classes):
    with torch.device("meta"):
        net = network_of(Config(dataset="llcm", network="twostream"), classes, init=False)
        resnet = torchvision.models.resnet50(num_classes=1)
    trunk = sum(parameter.numel() for parameter in resnet.parameters()) - 2048 - 1
    stem, neck = 3 * 64 * 7 * 7 + 2 * 64, 2048
    assert cost.parameters(net) == trunk + stem + neck == 23_519_616


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # several threads wait for each other on a busy machine
    yield
    torch.set_num_threads(before)


def test_a_table_compares_networks_and_names_the_device(tiny, one_thread):
    configs = {"FSC-Net": tiny(), "four times the images": tiny(images=8), "two-stream": tiny(network="twostream", stages=3)}
    table = cost.table(configs, num_classes=4).set_index("variant")
    assert list(table.index) == list(configs)
    assert list(table.columns) == [field.name for field in fields(cost.Cost)]
    assert set(table["precision"]) == {"float32"}
    assert set(table["threads"]) == {1}
    assert table["device"].str.len().min() > 0
    assert (table["milliseconds"] > 0).all()
    assert (table["megabytes"] * 1e6 > 3 * 4 * table["parameters"]).all()  # weights, gradients and momentum in float32

    full, large, plain = table.index
    same = ["parameters", "multiply_adds"]
    assert table.loc[full, same].tolist() == table.loc[large, same].tolist()
    assert table.loc[large, "megabytes"] > table.loc[full, "megabytes"]
    assert (table.loc[full, same] > table.loc[plain, same]).all()
    net = network_of(configs[plain], 4, init=False)
    image = torch.zeros(1, 3, 64, 24)
    assert table.loc[plain, "multiply_adds"] == cost.multiply_adds(lambda: net.eval().embed(image, "infrared"))


def test_a_table_of_no_networks_has_its_columns():
    assert list(cost.table({}, 4).columns) == ["variant", *(field.name for field in fields(cost.Cost))]


def test_impossible_configurations_are_refused_before_measuring(tiny, monkeypatch):
    monkeypatch.setattr(cost, "ProcessPoolExecutor", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="first: device: found 'cuda'") as caught:
        cost.table({"first": tiny(device="cuda"), "second": tiny(identities=5), "third": tiny()}, num_classes=4)
    assert "second: num_classes: found 4, expected at least 5, the identities of a step" in str(caught.value)
    assert "third" not in str(caught.value)


def test_a_network_unknown_to_the_measuring_process_is_refused(tiny, monkeypatch):
    monkeypatch.setitem(NETWORKS, "mine", TwoStream)
    with pytest.raises(ConfigError, match="network: found 'mine'"):
        cost.measure(tiny(network="mine"), num_classes=4)


def test_a_process_that_dies_is_reported(tiny, monkeypatch):
    class Dying:
        def __init__(self, *_, **__): ...

        def __enter__(self):
            raise BrokenProcessPool

        def __exit__(self, *_): ...

    monkeypatch.setattr(cost, "ProcessPoolExecutor", Dying)
    with pytest.raises(RuntimeError, match="the process that measures fsc has died: it may have run out of memory"):
        cost.measure(tiny(), num_classes=4)
