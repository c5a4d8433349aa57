"""The networks against numbers that the original programs produced, on weights that are a function of their original names."""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fsclib.losses import fsc_loss
from fsclib.models.fsc import DropPath
from fsclib.models.networks import build_model
from fsclib.models.official import load_official, place, use_published_order

REFERENCE = Path(__file__).parents[1] / "reference"
NETWORKS = json.loads((REFERENCE / "networks.json").read_text())
KEYS = ("fsc_llcm", "fsc_regdb", "deen_llcm", "deen_regdb")


def original_entry(name: str, shape: list[int]) -> torch.Tensor:
    """The value that the reference gives to an entry of a published network's state."""
    z = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF).standard_normal(shape)
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if name.endswith("running_var"):
        value = np.exp(0.1 * z)
    elif name.endswith(("running_mean", ".bias")):
        value = 0.1 * z
    elif len(shape) == 1:
        value = 1 + 0.1 * z
        value *= 0.4 if name.endswith("bn3.weight") or "downsample" in name else 1
        value *= 0.05 if ".W.1." in name else 1
    else:
        value = z / math.sqrt(np.prod(shape[1:]))
        value *= 0.3 if ".theta." in name or ".phi." in name else 1
    return torch.from_numpy(np.asarray(value, np.float32))


def images(seed: int, number: int) -> torch.Tensor:
    draw = np.random.RandomState(seed).standard_normal((number, 3, 192, 72))
    return torch.from_numpy(draw.astype(np.float32))


def state_of(key: str) -> dict[str, torch.Tensor]:
    return {name: original_entry(name, shape) for name, shape in NETWORKS[key]["state_dict"].items()}


def network(key: str):
    name, dataset = key.split("_")
    net = build_model(name, NETWORKS[key]["num_classes"], stages=3 if dataset == "regdb" else 4)
    load_official(net, state_of(key))
    return net


def deviation(found: torch.Tensor, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest entry."""
    return float(np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("key", KEYS)
def test_embeddings_agree_with_the_original(key):
    expected = np.load(REFERENCE / f"net_{key}.npz")
    net = network(key).eval()
    for modality, code, seed in (("visible", 1, 1), ("infrared", 2, 2)):
        with torch.inference_mode():
            found = net.embed(images(seed, 3), modality)
        for parts, name in zip(found, ("pool", "bn"), strict=True):
            view_major = F.normalize(parts, dim=2).transpose(0, 1).flatten(0, 1)
            assert deviation(view_major, expected[f"eval_{name}_modal{code}"]) < 1e-4


def training_step(net):
    """Output and losses of the reference's training step, with gradients, without dropout and drop-path."""
    net.train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, DropPath):
            module.rate = 0.0
    dtype = next(net.parameters()).dtype
    output = net(images(11, 6).to(dtype), images(12, 6).to(dtype))
    parts = fsc_loss(output, torch.tensor([3, 3, 7, 7, 11, 11]).repeat(2))
    parts.total.backward()
    return output, parts


@pytest.mark.parametrize("published_order", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_a_training_step_agrees_with_the_original(key, published_order):
    expected = np.load(REFERENCE / f"net_{key}.npz")
    net = network(key)
    use_published_order(net, published_order)
    output, parts = training_step(net)
    assert deviation(output.features.flatten(0, 1), expected["train_pool"]) < 1e-4
    assert deviation(output.logits.flatten(0, 1), expected["train_logits"]) < 1e-4
    names = {"total": "total", "identity": "id", "triplet": "tri", "cpm": "cpm", "orthogonality": "ort"}
    for part, name in names.items():
        assert getattr(parts, part).item() == pytest.approx(float(expected[f"train_loss_{name}"]), rel=1e-5), part
    if not published_order:
        return  # this order rounds otherwise, and the network amplifies it; test_modules.py has the gradients

    norms, own = NETWORKS[key]["grad_norm"], dict(net.named_parameters())
    assert len({place(name, quarter(net)).name for name in norms}) == sum(p.requires_grad for p in own.values())
    for name, norm in norms.items():
        there = place(name, quarter(net))
        gradient = own[there.name].grad
        found = (gradient if there.rows is None else gradient[there.rows]).norm().item()
        # a bias before a BatchNorm has the gradient zero, but for rounding
        assert found == pytest.approx(norm, rel=1e-3, abs=1e-8 * max(norms.values())), name


def quarter(net) -> int:
    """Channels of one branch of the expansion."""
    return net.expansion.dilated[0].out_channels // len(net.expansion.branches)
