"""Rebuilds the weights, inputs and training step with which the original programs computed tests/reference/.

Each entry of a network's state is generated from its original name and shape, so the reference holds no weights.
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fsclib.losses import agw_loss, fsc_loss
from fsclib.models.fsc import DropPath
from fsclib.models.networks import FSCNet, build_model
from fsclib.models.official import branch_channels, load_official, place

REFERENCE = Path(__file__).parent / "reference"
NETWORKS = json.loads((REFERENCE / "networks.json").read_text())
KEYS = ("fsc_llcm", "fsc_regdb", "deen_llcm", "deen_regdb", "agw", "twostream")


def original_entry(name: str, shape: list[int]) -> torch.Tensor:
    """The value that the reference uses for an entry of a published network's state."""
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


def images(seed: int, number: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal((number, 3, 192, 72))).to(dtype)


def state_of(key: str) -> dict[str, torch.Tensor]:
    return {name: original_entry(name, shape) for name, shape in NETWORKS[key]["state_dict"].items()}


def network(key: str):
    name, _, dataset = key.partition("_")
    net = build_model(name, NETWORKS[key]["num_classes"], stages=3 if dataset == "regdb" else 4)
    load_official(net, state_of(key))
    return net


def deviation(found: torch.Tensor, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest entry."""
    return float(np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max())


def without_dropout(net):
    """Switches off dropout and drop-path, as in all of the reference's training steps."""
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, DropPath):
            module.rate = 0.0
    return net


def forward_step(net, nudge: float = 0.0):
    """Output and losses of the reference's training step, without dropout and drop-path.

    nudge: standard deviation of a random relative change of each pixel; 1e-7 is about the last bit of float32.
    """
    without_dropout(net.train())
    dtype = next(net.parameters()).dtype
    noise = torch.Generator().manual_seed(0)
    nudged = (x * (1 + nudge * torch.randn(x.shape, generator=noise)) for x in (images(11, 6), images(12, 6)))
    output = net(*(x.to(dtype) for x in nudged))
    loss = fsc_loss if isinstance(net, FSCNet) else agw_loss
    return output, loss(output, torch.tensor([3, 3, 7, 7, 11, 11]).repeat(2))


def training_step(net, nudge: float = 0.0):
    """The same with gradients."""
    output, parts = forward_step(net, nudge)
    parts.total.backward()
    return output, parts


def reference_losses(file) -> dict[str, float]:
    """Part of the loss → the original program's value."""
    names = {"identity": "id", "triplet": "tri", "cpm": "cpm", "orthogonality": "ort", "total": "total"}
    if f"train_loss_{names['triplet']}" not in file.files:
        names = {"identity": "id", "triplet": "wrt", "total": "total"}
    return {part: float(file[f"train_loss_{name}"]) for part, name in names.items()}


def gradient_norms(net, key: str) -> dict[str, float]:
    """Gradient norms of `net`, keyed by the original names."""
    own, quarter, norms = dict(net.named_parameters()), branch_channels(net), {}
    for name in NETWORKS[key]["grad_norm"]:
        there = place(name, quarter)
        gradient = own[there.name].grad
        norms[name] = (gradient if there.rows is None else gradient[there.rows]).norm().item()
    return norms
