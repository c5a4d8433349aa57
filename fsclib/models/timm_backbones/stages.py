"""Hierarchical models of timm: four feature stages, each half the size of the one before, as the layers of a network.

Whatever precedes the first stage is the stem, of which infrared images get a copy. Strides are timm's: the last maps have 1/32 of
the image's height, those of fsclib's own ResNets 1/16.
"""

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from fsclib.models.timm_backbones.creation import PREFIX, package, refusal
from fsclib.models.timm_backbones.shapes import shape
from fsclib.models.timm_backbones.transformer import ChannelsLast
from fsclib.models.trunk import Trunk

SIDE = 256  # pixels of the square images by which the strides are found
SEQUENTIAL = ("FeatureListNet", "EfficientNetFeatures", "MobileNetV3Features")  # timm's classes that call their children in order


def hierarchy(name: str, model: Any, stages: int) -> Trunk:
    """The stems and the first 3 or 4 stages of a model made for feature extraction. Errors: ValueError if it has no such stages."""
    if type(model).__name__ not in SEQUENTIAL:
        raise refusal(name, f"timm does not divide it into stages that follow one another ({type(model).__name__})")
    segments = _segments(_with_plain_norms(model))
    before, channels_last = segments[0][:-1], str(getattr(model, "output_fmt", "")).endswith("NHWC")
    if not before:
        raise refusal(name, "nothing precedes its first stage that could be a stem for each modality")
    stem: nn.Module = nn.Sequential(*before)
    stem = ChannelsLast(stem, images=True) if channels_last else stem
    layers = [_layer(segment, channels_last) for segment in [segments[0][-1:], *segments[1:]]]
    try:
        shapes = _followed([stem, *layers])
    except Exception as error:
        raise refusal(name, f"its parts do not work one after another ({' '.join(str(error).split())})") from error
    sizes, channels = [SIDE // found[2] for found in shapes], [found[1] for found in shapes]
    if channels[1:] != model.feature_info.channels() or any(low != 2 * high for high, low in pairwise(sizes[1:])):
        scales = ", ".join(f"1/{size}" for size in sizes[1:])
        raise refusal(name, f"its stages have {channels[1:]} channels at {scales} of the image's height, not each half of the last")
    strides = [low // high for high, low in pairwise(sizes)]
    return Trunk(stem, copy.deepcopy(stem), nn.ModuleList(layers[:stages]), channels[: stages + 1], strides[:stages])


def _segments(model: Any) -> list[list[nn.Module]]:
    """The parts of each stage in order; the first one also has what precedes it."""
    ends = [module.replace(".", "_") for module in model.feature_info.module_name()]
    found: list[list[nn.Module]] = [[]]
    for name, part in _parts(model):
        found[-1].append(part)
        if name == ends[-1]:
            break
        if name in ends:
            found.append([])
    return found


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, part in model.named_children():
        if name == "blocks" and isinstance(part, nn.Sequential):  # of EfficientNets; FeatureListNet names its children like this
            yield from ((f"{name}_{number}", block) for number, block in part.named_children())
        else:
            yield name, part


def _layer(parts: Sequence[nn.Module], channels_last: bool) -> nn.Sequential:
    """A stage as a sequence of blocks with the same number of output channels: those of a ResNet, otherwise one."""
    stage = parts[0] if len(parts) == 1 else nn.Sequential(*parts)
    if channels_last:
        return nn.Sequential(ChannelsLast(stage))
    return stage if len(parts) == 1 and type(stage) is nn.Sequential else nn.Sequential(stage)


def _with_plain_norms(model: nn.Module) -> nn.Module:
    """Replaces timm's BatchNorms that include an activation by a BatchNorm and the activation, with the same parameters.

    The conversion to BatchNorms that share statistics between processes would lose these activations.
    """
    fused = package(PREFIX).layers.BatchNormAct2d
    norm: Any
    for part in list(model.modules()):
        for name, norm in list(part.named_children()):
            if type(norm) is fused:
                plain = nn.BatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
                plain._parameters, plain._buffers = norm._parameters, norm._buffers
                setattr(part, name, nn.Sequential(plain, norm.drop, norm.act))
    return model


def _followed(parts: Sequence[nn.Module]) -> list[torch.Size]:
    """The shapes of an image's maps after each part."""
    current, found = torch.Size((2, 3, SIDE, SIDE)), []
    for part in parts:
        current = shape(part, current)
        found.append(current)
    return found
