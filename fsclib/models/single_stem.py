"""Networks with one stem for both modalities, which sees gray images: one-stream and deep zero-padding.

one-stream    gray image of either modality                      → stem → layer1 → … → layer4 → average pool → BN neck → classifier
zero-padding  (gray visible image, 0) or (0, gray infrared image) → the same

Zero-padding lets the network form nodes of its own for each modality: those with weights for one of the two channels only.
Source: Wu et al., ICCV 2017, who train both with the identity loss alone, on a smaller trunk of their own.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fsclib.models.backbone import Stem
from fsclib.models.base import Network, average
from fsclib.models.imagenet import MEAN, STD
from fsclib.models.resnet import convolution
from fsclib.models.stems import MODALITIES, separated

LUMA = (0.299, 0.587, 0.114)  # of ITU-R 601-2


class OneStream(Network):
    """The backbone alone, with one stem, for gray images of either modality; V = 1, D as in TwoStream."""

    def __init__(self, num_classes: int, *, stages: int = 4, backbone: str = "resnet50", pretrained: bool = False):
        super().__init__()
        channels = self.add_trunk(backbone, stages, pretrained)
        self.stem = self.merged(self.visible_stem, self.infrared_stem)
        del self.visible_stem, self.infrared_stem
        self.add_head(channels[-1], num_classes)

    @staticmethod
    def merged(visible: nn.Module, infrared: nn.Module) -> nn.Module:
        """The single stem, made from those of a two-stream network."""
        return visible

    @property
    def stems(self) -> dict[str, nn.Module]:
        return {"visible": self.stem, "infrared": self.stem}

    def stem_input(self, images: Tensor, modality: str) -> Tensor:
        """Normalised images (B, 3, H, W) of one modality → the input of the stem: gray, normalised, in three channels."""
        shown = gray(images)
        return torch.cat([(shown - mean) / std for mean, std in zip(MEAN, STD, strict=True)], 1)

    def features(self, visible: Tensor, infrared: Tensor) -> Tensor:
        # in one pass: the stem's BatchNorm sees both modalities as one batch
        return self.pooled(self.stem(torch.cat([self.stem_input(visible, "visible"), self.stem_input(infrared, "infrared")])))

    def low(self, images: Tensor, modality: str) -> Tensor:
        return self.stem(self.stem_input(images, modality))

    def pooled(self, low: Tensor) -> Tensor:
        for layer in self.layers:
            low = layer(low)
        return average(low)

    def adapted(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """From two stems, the visible one is taken."""
        found = {name: value for name, value in separated(state).items() if not name.startswith("infrared_stem.")}
        return {name.replace("visible_stem.", "stem."): value for name, value in found.items()}


class ZeroPadding(OneStream):
    """One-stream with an input channel for each modality, of which the other's is 0. Its backbone must be a ResNet of fsclib."""

    @staticmethod
    def merged(visible: nn.Module, infrared: nn.Module) -> nn.Module:
        if not (isinstance(visible, Stem) and isinstance(infrared, Stem)):
            raise ValueError("backbone: found one of timm, whose stems have three input channels; expected a ResNet of fsclib")
        conv = convolution(7, len(MODALITIES), visible.conv.out_channels, 2)
        with torch.no_grad():
            conv.weight.copy_(_channelwise(visible.conv.weight, infrared.conv.weight))
        return Stem(conv, visible.norm)

    def stem_input(self, images: Tensor, modality: str) -> Tensor:
        """As in OneStream, in two channels, of which the other modality's is 0."""
        shown = gray(images).sub(sum(MEAN) / 3).div(sum(STD) / 3)
        both = [torch.zeros_like(shown), torch.zeros_like(shown)]
        both[MODALITIES.index(modality)] = shown
        return torch.cat(both, 1)

    def adapted(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """From two stems, each one's weights for gray images go to its channel, and the rest is the visible one's."""
        if (own := state.get("stem.conv.weight")) is not None and own.shape[1] == len(MODALITIES):
            return state
        found = separated(state)
        convs = [found[name] for name in (f"{modality}_stem.conv.weight" for modality in MODALITIES) if name in found]
        merged = {"stem.conv.weight": _channelwise(*convs)} if convs else {}
        return {**super().adapted(found), **merged}


def gray(images: Tensor) -> Tensor:
    """Normalised images (B, 3, H, W) → their gray values (B, 1, H, W) on a scale from 0 to 1."""
    # plain numbers, no tensors of them: copying these to a GPU in every step would block
    channels = zip(images.split(1, 1), MEAN, STD, LUMA, strict=True)
    return torch.stack([(channel * std + mean) * weight for channel, mean, std, weight in channels]).sum(0)


def _channelwise(*weights: Tensor) -> Tensor:
    """Weights (C, 3, h, w) of each modality's stem → (C, 2, h, w): on gray images, the sum over colours acts alike."""
    return torch.cat([weight.sum(1, keepdim=True) for weight in weights], 1)
