"""Backbones of the package timm, divided into a stem for each modality and shared layers: backbone="timm/<name>".

Hierarchical models, by stages.py, work in every network but zero-padding; vision transformers, by transformer.py, in those without
parts between the stages: two-stream, BDTR and one-stream.
"""

import math
from typing import Any

from torch import nn

from fsclib.models.timm_backbones.creation import PREFIX, create, is_transformer, package
from fsclib.models.timm_backbones.shapes import shape
from fsclib.models.timm_backbones.stages import hierarchy
from fsclib.models.timm_backbones.transformer import Transformer, whole
from fsclib.models.trunk import Trunk

__all__ = ["PREFIX", "adapt", "build", "create"]


def build(name: str, stages: int, pretrained: bool) -> Trunk:
    """Stems and layers of a model of timm. The infrared stem starts with the weights of the visible one.

    Args: `name` "timm/…", with or without the tag of its weights; `stages` 3 or 4; `pretrained` load timm's weights.
    Errors: ImportError without timm; ValueError for an unknown model, or one that cannot be divided; FileNotFoundError for weights
    that are not on disk and cannot be downloaded.
    """
    model = create(name, pretrained)
    for part in model.modules():
        if isinstance(part, package(name).layers.PatchEmbed):
            part.strict_img_size, part.dynamic_img_pad = False, True  # images of any size, padded to whole patches
    return (whole if is_transformer(name) else hierarchy)(name, model, stages)


def adapt(net: nn.Module, name: str, size: tuple[int, int], reduced: tuple[int, int] | None = None) -> None:
    """Prepares a network with a backbone of timm for images of this (height, width), in place.

    A network on the device "meta", as it is built before a training to learn its size, is also checked: ValueError if images of
    this size, or of the `reduced` size of the first epochs, cannot pass it.
    """
    for part in net.modules():
        if isinstance(part, Transformer):
            stems: Any = net.stems
            rows, columns = (math.ceil(side / patch) for side, patch in zip(size, stems["visible"].module.patch_size, strict=True))
            part.resize((rows, columns))
    if not next(net.parameters()).is_meta:
        return
    sizes = {size: "choose a height and width that are multiples of 32, or network 'twostream'"}
    if reduced:
        sizes.setdefault(reduced, "set small_epochs to 0")
    for (height, width), fix in sizes.items():
        try:
            shape(net, (2, 3, height, width), (2, 3, height, width))
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            problem = f"images of {height}×{width} cannot pass {type(net).__name__} with backbone {name!r} ({error})"
            raise ValueError(f"{problem}; {fix}") from error
