"""Captured maps are those that the network computes at every named point, and capturing leaves no hooks behind."""

import numpy as np
import pandas as pd
import pytest
import torch
from spectra import batch, network
from torch import nn

from fsclib.analysis.frequency import maps
from fsclib.data.batches import by_modality
from fsclib.models.fsc import MODULES
from fsclib.models.networks import build_model


def hooks(net):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules())


@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_maps_of_fsc_net_match_its_parts_run_one_by_one(modality):
    net, images = network(), batch()
    found = maps.capture(net, images, modality, list(maps.points(net)))
    with torch.inference_mode():
        low = (net.visible_stem if modality == "visible" else net.infrared_stem)(images)
        expected = {"input": images, "stem": low}
        for number, (layer, aggregate) in enumerate(zip(net.layers, net.aggregations, strict=False), 1):
            high = layer(low)
            low = aggregate(high, low)
            expected |= {f"layer{number}": high, f"MFA{number}": low}
        ends = [low]
        for view, branch in enumerate(net.expansion.branches, 1):
            step = sum(conv(low) for conv in net.expansion.dilated).chunk(2, 1)[view - 1] / 3
            expected[f"view {view} before"] = step
            for name, module in zip(("FSA", "GCA", "ST"), branch.steps.values(), strict=True):
                step = module(step)
                expected[f"view {view} {name}"] = step
            expected[f"view {view}"] = branch.restore(torch.relu(step))
            ends.append(expected[f"view {view}"])
        expected |= {f"layer4 view {view}": net.layers[-1](end) for view, end in enumerate(ends)}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        torch.testing.assert_close(torch.from_numpy(found[name]), value, rtol=1e-4, atol=1e-4)
    assert not np.array_equal(found["layer1"], found["MFA1"])


def test_points_of_agw_are_before_and_after_its_non_local_blocks():
    net = network("agw")
    points = maps.points(net)
    found = maps.capture(net, batch(), "visible", list(points))
    blocks = [(name, point) for name, point in points.items() if name.startswith("non-local")]
    assert [name for name, _ in blocks] == ["non-local 2.1", "non-local 2.2", "non-local 3.1", "non-local 3.2"]
    for name, point in blocks:
        assert point.before == f"layer{name[10]} block {name[12]}"
        with torch.inference_mode():
            expected = point.modules[0](torch.from_numpy(found[point.before]))
        torch.testing.assert_close(torch.from_numpy(found[name]), expected, rtol=1e-4, atol=1e-4)


def test_chains_follow_the_modules_in_their_own_order_in_each_branch():
    net = network(modules=("spatial", "frequency"), branches=1)
    assert maps.chains(net) == {
        "view 1": ["view 1 before", "view 1 ST", "view 1 FSA"],
        "MFA1": ["layer1", "MFA1"],
        "MFA2": ["layer2", "MFA2"],
        "MFA3": ["layer3", "MFA3"],
    }
    assert maps.chains(network("deen"))["view 2"] == ["view 2 before"]
    assert maps.chains(network("twostream")) == {}


def test_with_three_stages_the_expansion_comes_before_the_third_layer():
    names = list(maps.points(network(stages=3)))
    assert names.index("MFA2") < names.index("view 1 before") < names.index("layer3")
    assert "MFA3" not in names


class Doubled(nn.Module):
    """A module of another package, which modifies its input in place."""

    def __init__(self, channels):
        super().__init__()

    def forward(self, features):
        return features.mul_(2)


def test_a_module_of_another_package_keeps_its_name_and_may_work_in_place(monkeypatch):
    monkeypatch.setitem(MODULES, "doubled", Doubled)
    net = network(modules=("doubled",))
    found = maps.capture(net, batch(), "visible", ["view 1 before", "view 1 doubled"])
    np.testing.assert_allclose(found["view 1 doubled"], 2 * found["view 1 before"], rtol=1e-6)
    assert np.abs(found["view 1 before"]).max() > 0


@pytest.mark.parametrize("training", [True, False])
def test_capture_leaves_nothing_behind(training):
    net = network().train(training)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    maps.capture(net, batch(), "visible", ["stem", "view 1 before"])
    assert hooks(net) == 0
    assert {module.training for module in net.modules()} == {training}
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_capture_leaves_nothing_behind_after_an_error():
    net = network().train()
    with pytest.raises(RuntimeError):
        maps.capture(net, batch()[:, :2], "visible", ["stem", "layer1"])
    assert hooks(net) == 0
    assert net.training


def test_maps_are_float32_inside_autocast():
    net = network()
    with torch.autocast("cpu", torch.bfloat16):
        found = maps.capture(net, batch(), "visible", ["view 1 ST"])["view 1 ST"]
    np.testing.assert_array_equal(found, maps.capture(net, batch(), "visible", ["view 1 ST"])["view 1 ST"])


def test_the_error_lists_all_unknown_points_and_the_known_ones():
    with pytest.raises(ValueError, match="layers: found MFA4, xyzzy, expected points of this FSCNet: input, stem") as found:
        maps.capture(network(), batch(), "visible", ["stem", "MFA4", "xyzzy"])
    assert "view 2 ST" in str(found.value)


def test_points_that_images_do_not_pass_are_refused():
    net = network("twostream")
    net.layers.append(nn.Sequential(nn.Identity()))
    net.pooled = lambda low: net.layers[3](net.layers[2](net.layers[1](net.layers[0](low)))).mean((2, 3))
    with pytest.raises(ValueError, match="images do not pass layer5"):
        maps.capture(net, batch(), "visible", ["layer4", "layer5"])


def test_batches_hold_one_modality_and_every_row_once():
    records = pd.DataFrame({"modality": ["visible", "infrared", "infrared", "visible", "visible"]})
    found = [(modality, rows.tolist()) for modality, rows in by_modality(records, np.array([4, 2, 0, 3, 1]), 2)]
    assert found == [("visible", [4, 0]), ("visible", [3]), ("infrared", [2, 1])]


def test_a_chain_after_the_expansion_is_split_by_view():
    lines = {"layer4": ["layer4"], "MFA1": ["layer1", "MFA1"], "view 1": ["view 1 before"]}
    captured = ["layer1", "MFA1", "view 1 before", "layer4 view 0", "layer4 view 1"]
    assert maps.resolved(lines, captured) == {
        "layer4 view 0": ["layer4 view 0"],
        "layer4 view 1": ["layer4 view 1"],
        "MFA1": ["layer1", "MFA1"],
        "view 1": ["view 1 before"],
    }


@pytest.mark.parametrize(
    ("name", "backbone", "shapes"),
    [
        ("twostream", "timm/test_vit", {"stem": (64, 4, 2), "layer1": (64, 4, 2)}),
        ("agw", "timm/test_convnext", {"stem": (24, 16, 8), "layer2 block 1": (32, 8, 4), "non-local 2.1": (32, 8, 4)}),
    ],
)
def test_backbones_of_timm_have_maps_at_their_points(name, backbone, shapes):
    pytest.importorskip("timm", reason="backbones of timm need the extra timm")
    net = build_model(name, 5, backbone=backbone)
    found = maps.capture(net, batch(), "infrared", list(shapes))
    assert {point: value.shape[1:] for point, value in found.items()} == shapes
    assert set(shapes) <= set(maps.points(net))
