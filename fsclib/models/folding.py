"""Folds each BatchNorm into the preceding convolution: the same function in evaluation, with fewer passes over memory.

BN(Wx) = γ (Wx − μ) / σ + β = (γ/σ · W) x + (β − γμ/σ)        σ² = running variance + ε
"""

import copy
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fsclib.models.backbone import Stem
from fsclib.models.base import Network
from fsclib.models.resnet import BasicBlock, Bottleneck

PAIRS = {  # class → names of its convolutions and of the norm after each; all other uses of their outputs are known
    Stem: (("conv", "norm"),),
    BasicBlock: (("conv1", "bn1"), ("conv2", "bn2")),
    Bottleneck: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
}


def folded(net: Network) -> Network:
    """A copy of the network for evaluation only, whose `embed` agrees with that of `net` in evaluation mode up to rounding.

    Stems, trunk and all sequences of a convolution and its BatchNorm are folded; other modules are unchanged.
    """
    copied = copy.deepcopy(net).eval().requires_grad_(False)
    for part in list(copied.modules()):
        for conv, norm in _pairs(part):
            first, second = part.get_submodule(conv), part.get_submodule(norm)
            assert isinstance(first, nn.Conv2d)
            assert isinstance(second, nn.BatchNorm2d)
            fused = fuse_conv_bn_eval(first, second)
            setattr(part, conv, fused.to(memory_format=torch.channels_last))
            setattr(part, norm, nn.Identity())
    return copied


def _pairs(part: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of a module's convolutions and of the BatchNorm whose only input is the output of each."""
    yield from PAIRS.get(type(part), ())
    if type(part) is nn.Sequential:
        children = list(part.named_children())
        for (first, conv), (second, norm) in pairwise(children):
            if type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d:
                yield first, second
