"""The parts of the networks against plain transcriptions of their formulas, in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fsclib.models.aggregation import ChannelNonLocal, MultistageFeatureAggregation, PositionNonLocal
from fsclib.models.base import generalised_mean
from fsclib.models.expansion import DiverseEmbeddingExpansion
from fsclib.models.fsc import DropPath, FrequencySemanticAttention, GatedConvAttention, SpatialTransform, mirrored
from fsclib.models.nonlocal_block import NonLocal

SIZES = [(6, 4), (5, 4), (6, 3), (5, 3), (1, 2)]


def randomised(module: nn.Module) -> nn.Module:
    """The module in float64 evaluation mode with every entry random, so that no part is zero or the identity."""
    module = module.double().eval()
    generator = torch.Generator().manual_seed(5)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
            value.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn / 2)
    return module


def maps(channels: int, height: int, width: int, seed: int = 0, number: int = 2) -> torch.Tensor:
    return torch.randn(number, channels, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def one_by_one(conv: nn.Conv2d, x: torch.Tensor) -> list[list[list[float]]]:
    """A 1×1 convolution of one map (C, H, W) by loops: out channel → rows → numbers."""
    weight, bias, stride = conv.weight.flatten(1).tolist(), conv.bias.tolist(), conv.stride[0]
    return [
        [
            [bias[o] + sum(weight[o][i] * x[i, h, w].item() for i in range(len(x))) for w in range(0, x.shape[2], stride)]
            for h in range(0, x.shape[1], stride)
        ]
        for o in range(len(weight))
    ]


def flat(rows: list[list[list[float]]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64).flatten(1)


@pytest.mark.parametrize("stride", [1, 2])
def test_channel_non_local_follows_its_formula(stride):
    block, high, low = randomised(ChannelNonLocal(6, 4, stride)), maps(6, 4, 2), maps(4, 4 * stride, 2 * stride, seed=1)
    for sample in range(2):
        theta = flat(one_by_one(block.theta, high[sample]))
        phi = flat(one_by_one(block.phi, low[sample]))
        g = flat(one_by_one(block.g, low[sample]))
        mixed = torch.zeros_like(g)
        for i in range(4):
            for j in range(4):
                attention = sum(theta[i, n] * phi[j, n] for n in range(theta.shape[1])) / 4
                for n in range(g.shape[1]):
                    mixed[i, n] += attention * g[j, n]
        expected = block.project(mixed.view(1, 4, *low.shape[2:]))[0] + high[sample]
        torch.testing.assert_close(block(high, low)[sample], expected)


@pytest.mark.parametrize("published_order", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_position_non_local_follows_its_formula_over_half_maps(stride, published_order):
    block, high, low = randomised(PositionNonLocal(6, 4)), maps(6, 4, 3), maps(4, 4 * stride, 3 * stride, seed=1)
    block.published_order = published_order
    for sample in range(2):
        # the two channels of each map, cut into an upper and a lower half, are four channels over half the positions
        g, phi = (flat(one_by_one(conv, low[sample])).reshape(4, -1) for conv in (block.g, block.phi))
        theta = flat(one_by_one(block.theta, high[sample])).reshape(4, -1)
        mixed = torch.zeros_like(theta)
        for n in range(theta.shape[1]):
            for m in range(phi.shape[1]):
                attention = sum(theta[c, n] * phi[c, m] for c in range(4)) / phi.shape[1]
                mixed[:, n] += attention * g[:, m]
        expected = block.project(mixed.view(1, 2, 4, 3))[0] + high[sample]
        torch.testing.assert_close(block(high, low)[sample], expected)


def test_a_map_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="a map of 3×5 cannot be halved; expected images whose height is a multiple of 32"):
        PositionNonLocal(6, 4)(torch.zeros(1, 6, 3, 5), torch.zeros(1, 4, 3, 5))


def test_untrained_aggregation_is_the_identity():
    block = MultistageFeatureAggregation(8, 4, stride=2).train()
    high, low = torch.randn(2, 8, 4, 2), torch.randn(2, 4, 8, 4)
    assert torch.equal(block(high, low), high)


@pytest.mark.parametrize("size", SIZES)
def test_frequency_attention_is_a_gated_spectrum(size):
    module, x = randomised(FrequencySemanticAttention(16)), maps(16, *size)
    spectrum = torch.fft.rfft2(x, norm="ortho")
    gates = []
    for part in (spectrum.real, spectrum.imag):
        summary = torch.cat([part.mean((2, 3)), part.amax((2, 3))], 1)
        gates.append(module.gate(module.reduce(summary[:, :, None, None])[:, :, 0, 0])[:, :, None, None])
    expected = torch.fft.irfft2(gates[0] * spectrum.real + 1j * gates[1] * spectrum.imag, s=size, norm="ortho")
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("size", SIZES)
def test_mirrored_map_has_the_conjugate_spectrum(size):
    x = maps(3, *size)
    torch.testing.assert_close(torch.fft.fft2(mirrored(x)), torch.fft.fft2(x).conj())


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (FrequencySemanticAttention(16), (maps(16, 5, 4),)),
        (PositionNonLocal(6, 4), (maps(6, 4, 3), maps(4, 8, 6, seed=1))),
    ],
    ids=["frequency attention", "position non-local"],
)
def test_both_orders_have_the_same_gradients(module, inputs):
    module, gradients = randomised(module), []
    for module.published_order in (False, True):
        leaves = [*(x.clone().requires_grad_() for x in inputs), *module.parameters()]
        output = module(*leaves[: len(inputs)])
        gradients.append(torch.autograd.grad((output * maps(*output.shape[1:], seed=9)).sum(), leaves))
    for fast, published in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, published)


def test_gated_convolution_follows_its_formula():
    module, x = randomised(GatedConvAttention(6)), maps(6, 4, 3)
    assert module.split == (16, 13, 3)  # h = ⌊8·6/3⌋, h − c/2, c/2
    normed = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-6).sqrt()
    normed = normed * module.norm.weight[:, None, None] + module.norm.bias[:, None, None]
    expanded = torch.einsum("oc,bchw->bohw", module.expand.weight, normed) + module.expand.bias[:, None, None]
    gate, same, convolved = expanded[:, :16], expanded[:, 16:29], expanded[:, 29:]
    padded, result = F.pad(convolved, (3, 3, 3, 3)), torch.zeros_like(convolved)
    for channel in range(3):
        for h in range(4):
            for w in range(3):
                window = padded[:, channel, h : h + 7, w : w + 7]
                result[:, channel, h, w] = (window * module.conv.weight[channel, 0]).sum((1, 2)) + module.conv.bias[channel]
    gated = gate * 0.5 * (1 + torch.erf(gate / 2**0.5)) * torch.cat([same, result], 1)
    expected = torch.einsum("oc,bchw->bohw", module.shrink.weight, gated) + module.shrink.bias[:, None, None] + x
    torch.testing.assert_close(module(x), expected)


def test_drop_path_drops_whole_maps_in_training_only():
    drop, x = DropPath(0.5), torch.ones(200, 2, 3, 3)
    assert torch.equal(drop.eval()(x), x)
    torch.manual_seed(0)
    kept = drop.train()(x).flatten(1)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert (kept == kept[:, :1]).all()
    assert 60 < (kept[:, 0] > 0).sum() < 140


def test_spatial_transform_follows_its_formula():
    module, x = randomised(SpatialTransform(4)), maps(4, 5, 3)
    convolved = F.conv2d(x, module.conv.weight, module.conv.bias, padding=1, groups=4)
    norm = module.norm
    scale = (norm.running_var + norm.eps).sqrt()[:, None, None]
    normed = (convolved - norm.running_mean[:, None, None]) / scale * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(module(x), x + torch.tanh(normed))


def test_expansion_averages_three_dilations_and_runs_its_modules_in_order():
    module, x = randomised(DiverseEmbeddingExpansion(64, ("spatial", "frequency"))), maps(64, 6, 4)
    views = module(x).chunk(3)
    assert torch.equal(views[0], x)
    for k, branch in enumerate(module.branches):
        weights = [conv.weight[16 * k : 16 * (k + 1)] for conv in module.dilated]
        u = sum(F.conv2d(x, weight, padding=d, dilation=d) for d, weight in enumerate(weights, start=1)) / 3
        u = branch.steps["frequency"](branch.steps["spatial"](u))
        torch.testing.assert_close(views[k + 1], F.conv2d(u.relu(), branch.restore.weight, branch.restore.bias))


def test_expansion_refuses_unknown_and_repeated_modules():
    for modules in (("frequency", "colour"), ("spatial", "spatial")):
        with pytest.raises(ValueError, match="expected each at most once of frequency, channel, spatial"):
            DiverseEmbeddingExpansion(64, modules)


def test_agws_non_local_follows_its_formula_in_either_order():
    block, features = randomised(NonLocal(6)), maps(6, 4, 3)
    found = block(features)
    block.published_order = True
    torch.testing.assert_close(block(features), found)
    for sample in range(2):
        theta, phi, g = (flat(one_by_one(conv, features[sample]))[0] for conv in (block.theta, block.phi, block.g))
        mixed = torch.tensor(
            [sum(theta[i] * phi[j] / len(g) * g[j] for j in range(len(g))) for i in range(len(g))], dtype=torch.float64
        )
        expected = block.project(mixed.view(1, 1, 4, 3))[0] + features[sample]
        torch.testing.assert_close(found[sample], expected)


def test_gradients_of_agws_non_local_do_not_depend_on_the_order():
    gradients = []
    for order in (False, True):
        block, features = randomised(NonLocal(6)), maps(6, 4, 3).requires_grad_()
        block.published_order = order
        block(features).square().sum().backward()
        gradients.append([features.grad, *(p.grad for p in block.parameters())])
    for fast, published in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, published)


def test_an_untrained_non_local_is_the_identity():
    features = maps(6, 4, 3).float()
    torch.testing.assert_close(NonLocal(6)(features), features)


def test_generalised_mean_is_the_third_root_of_the_mean_cube():
    features = maps(3, 4, 3).abs()
    expected = [[(sum(x**3 for x in row.flatten().tolist()) / 12 + 1e-12) ** (1 / 3) for row in image] for image in features]
    torch.testing.assert_close(generalised_mean(features), torch.tensor(expected, dtype=torch.float64))
    assert generalised_mean(features.bfloat16()).dtype == torch.float32
    silent = torch.zeros(1, 1, 2, 2, requires_grad=True)  # the gradient of an all-zero channel must not be nan
    generalised_mean(silent).sum().backward()
    assert silent.grad.isfinite().all()
