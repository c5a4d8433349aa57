"""The networks, from their parts: FSC-Net, and DEEN, which is FSC-Net without its three modules.

visible → stem ┐                                                           ┌ x  ┐
               ┼ layer1 → MFA → layer2 → MFA → layer3 → MFA → expansion ───┼ x₁ ┼→ layer4 → average pool → BN neck → classifier
infrared → stem┘                                                           └ x₂ ┘

With three stages the expansion stands before the third layer, and the last MFA and layer4 are absent. METHOD, section 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fsclib.models.aggregation import MultistageFeatureAggregation
from fsclib.models.backbone import STEM_CHANNELS, build_backbone
from fsclib.models.expansion import DiverseEmbeddingExpansion
from fsclib.models.fsc import MODULES

MODALITIES = ("visible", "infrared")


class Embedding(NamedTuple):
    """What an image is compared by: pooled features and features after the BN neck, each (B, V, D) float32, not normalised."""

    pool: Tensor
    neck: Tensor


class Output(NamedTuple):
    """What the losses see: features (V, 2N, D) and logits (V, 2N, C), float32, visible images first, then infrared."""

    features: Tensor
    logits: Tensor


class FSCNet(nn.Module):
    """Frequency–spatial–channel collaborative network; V = 3 views of D = 2048 (four stages) or 1024 (three) with ResNet-50."""

    def __init__(
        self,
        num_classes: int,
        *,
        stages: int = 4,
        modules: Sequence[str] = tuple(MODULES),
        backbone: str = "resnet50",
        pretrained: bool = False,
        dropout: float = 0.01,
    ):
        super().__init__()
        self.visible_stem, self.infrared_stem, self.layers, channels = build_backbone(backbone, stages, pretrained)
        lows = [STEM_CHANNELS, *channels]
        self.aggregations = nn.ModuleList(
            MultistageFeatureAggregation(channels[i], lows[i], stride=1 if i == 0 else 2) for i in range(stages - 1)
        )
        self.expansion = DiverseEmbeddingExpansion(channels[-2], modules)
        self.dropout = nn.Dropout(dropout)
        self.neck = nn.BatchNorm1d(channels[-1])
        self.neck.bias.requires_grad_(False)  # the neck is centred on the origin (Luo et al., CVPRW 2019)
        self.classifier = nn.Linear(channels[-1], num_classes, bias=False)
        nn.init.normal_(self.neck.weight, 1.0, 0.01)
        nn.init.normal_(self.classifier.weight, 0.0, 0.001)
        self.views = 1 + len(self.expansion.branches)

    def _features(self, low: Tensor) -> Tensor:
        """Output of the stems (B, 64, h, w) → pooled features (V·B, D) float32, view-major."""
        for layer, aggregate in zip(self.layers, self.aggregations, strict=False):  # the last layer has no aggregation
            low = aggregate(layer(low), low)
        maps = self.layers[-1](self.dropout(self.expansion(low)))  # (V·B, D, h, w)
        return maps.mean((2, 3), dtype=torch.promote_types(maps.dtype, torch.float32))

    def _neck(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return self.neck(features)

    def forward(self, visible: Tensor, infrared: Tensor) -> Output:
        """Normalised images (N, 3, H, W) of either modality → Output."""
        features = self._features(torch.cat([self.visible_stem(visible), self.infrared_stem(infrared)]))
        with torch.autocast(features.device.type, enabled=False):
            logits = self.classifier(self._neck(features))
        shape = (self.views, len(visible) + len(infrared), -1)
        return Output(features.view(shape), logits.view(shape))

    def embed(self, images: Tensor, modality: str) -> Embedding:
        """Normalised images (B, 3, H, W) of one modality, "visible" or "infrared" → Embedding."""
        if modality not in MODALITIES:
            raise ValueError(f"modality: found {modality!r}, expected one of {', '.join(MODALITIES)}")
        pool = self._features((self.visible_stem if modality == "visible" else self.infrared_stem)(images))
        neck = self._neck(pool)
        return Embedding(*(f.view(self.views, len(images), -1).transpose(0, 1) for f in (pool, neck)))


NETWORKS = ("fsc", "deen")


def build_model(
    name: str,
    num_classes: int,
    *,
    stages: int = 4,
    modules: Sequence[str] = tuple(MODULES),
    backbone: str = "resnet50",
    pretrained: bool = False,
) -> FSCNet:
    """A network by name: "fsc", or "deen" (no modules, whatever `modules` says).

    Args: `num_classes` training identities; `stages` 4 for SYSU-MM01 and LLCM, 3 for RegDB; `modules` those of FSC-Net that are
    on, in their order; `backbone` "resnet50" or "resnet18"; `pretrained` ImageNet weights.
    Errors: ValueError for an unknown name, FileNotFoundError where weights are wanted and not to be had.
    """
    if name not in NETWORKS:
        raise ValueError(f"network: found {name!r}, expected one of {', '.join(NETWORKS)}")
    return FSCNet(
        num_classes,
        stages=stages,
        modules=() if name == "deen" else modules,
        backbone=backbone,
        pretrained=pretrained,
    )
