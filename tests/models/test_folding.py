"""A folded network gives the same embeddings, and the original network stays unchanged."""

import pytest
import torch
from torch import nn

from fsclib.models.folding import folded
from fsclib.models.networks import build_model


def norms(net):
    return [name for name, part in net.named_modules() if isinstance(part, nn.BatchNorm2d)]


@pytest.mark.parametrize(
    ("name", "kept"), [("fsc", 2), ("deen", 0), ("agw", 0), ("twostream", 0), ("onestream", 0), ("zeropad", 0)]
)
def test_folding_removes_the_norms_of_the_trunk_from_the_copy_only(name, kept):
    net = build_model(name, 5, backbone="resnet18").train()
    before = norms(net)
    fast = folded(net)
    assert len(norms(fast)) == kept  # the norm of ST in each of two branches: ST is not a sequence
    assert norms(net) == before
    assert net.training
    assert all(parameter.requires_grad for parameter in net.layers.parameters())
    assert not any(parameter.requires_grad for parameter in fast.parameters())


def test_folding_includes_statistics_and_parameters_of_the_norms():
    torch.manual_seed(0)
    net = build_model("agw", 5, backbone="resnet18")
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values in (part.weight, part.bias, part.running_mean, part.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
    pixels = torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        expected, found = net.eval().embed(pixels, "visible"), folded(net).embed(pixels, "visible")
    torch.testing.assert_close(found.pool, expected.pool, rtol=1e-4, atol=1e-5)
