"""Vision transformers (Dosovitskiy et al., ICLR 2021) of timm: patch embeddings as stems, everything else as the only layer.

The output is the map of the patch tokens after the final norm, so that pooling, Grad-CAM and spectra see a map like any other.
Class and register tokens take part in attention only; TransReID (He et al., ICCV 2021) uses the class token instead of the mean.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from fsclib.models.timm_backbones.creation import PREFIX, STAGES, package, refusal
from fsclib.models.trunk import Trunk


class ChannelsLast(nn.Module):
    """Calls a module that works on (B, h, w, C) with maps (B, C, h, w), or with images, which it takes as they are."""

    def __init__(self, module: nn.Module, images: bool = False):
        super().__init__()
        self.module, self.images = module, images

    def forward(self, maps: Tensor) -> Tensor:
        given = maps if self.images else maps.permute(0, 2, 3, 1).contiguous()  # usually no copy: maps come from such a module
        return self.module(given).permute(0, 3, 1, 2)


class Grid(nn.Identity):
    """Takes the place of a transformer's patch embedding, which is a stem. size: rows and columns of its position embedding."""

    def __init__(self, size: tuple[int, int]):
        super().__init__()
        self.grid_size = size


class Transformer(nn.Module):
    """A VisionTransformer of timm without its patch embedding: embedded patches (B, C, h, w) → patch tokens (B, C, h, w)."""

    transformer: Any

    def __init__(self, transformer: nn.Module, grid: tuple[int, int]):
        super().__init__()
        self.transformer = transformer
        self.transformer.patch_embed = Grid(grid)

    def forward(self, maps: Tensor) -> Tensor:
        tokens = self.transformer.forward_features(maps.permute(0, 2, 3, 1).contiguous())
        return tokens[:, self.transformer.num_prefix_tokens :].transpose(1, 2).unflatten(2, maps.shape[2:])

    def resize(self, grid: tuple[int, int]) -> None:
        """Interpolates the position embedding for maps of this size once, instead of in every forward pass."""
        own = self.transformer
        old, own.patch_embed.grid_size = own.patch_embed.grid_size, grid
        if own.pos_embed is not None and old != grid:
            prefix = 0 if own.no_embed_class else own.num_prefix_tokens
            with torch.no_grad():
                resample = package(PREFIX).layers.resample_abs_pos_embed
                own.pos_embed = nn.Parameter(resample(own.pos_embed, grid, old, num_prefix_tokens=prefix))


def whole(name: str, model: Any, stages: int) -> Trunk:
    """The stems and the only layer of a vision transformer. Errors: ValueError for variants with further tokens, or 3 stages."""
    if type(model) is not package(name).models.VisionTransformer:
        raise refusal(name, f"it is a {type(model).__name__}, not a plain vision transformer")
    if stages != STAGES:
        raise ValueError(f"stages: found {stages} with backbone {name!r}, expected {STAGES}: a transformer is used as a whole")
    grid, stem = model.patch_embed.grid_size, ChannelsLast(model.patch_embed, images=True)
    model.reset_classifier(0, "")  # without attention pooling, which would remain unused
    model.fc_norm = nn.Identity()
    layers = nn.ModuleList([nn.Sequential(Transformer(model, grid))])
    return Trunk(stem, copy.deepcopy(stem), layers, [model.embed_dim, model.embed_dim], [1])
