"""What a network is built around: a stem for each modality, and the layers that visible and infrared images share."""

from typing import NamedTuple

from torch import nn


class Trunk(NamedTuple):
    """Stems map images (B, 3, H, W) to features (B, C, h, w), each layer maps features to features.

    channels: output channels of the stems and of each layer; strides: how much each layer shrinks height and width.
    """

    visible_stem: nn.Module
    infrared_stem: nn.Module
    layers: nn.ModuleList
    channels: list[int]
    strides: list[int]
