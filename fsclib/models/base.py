"""What all networks share: stems, a trunk, a BN neck and a classifier, and the form of their outputs.

visible → stem ┐
               ┼ layer1 → layer2 → layer3 → layer4 → average pool → BN neck → classifier
infrared → stem┘
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from fsclib.models.backbone import build_backbone
from fsclib.models.stems import MODALITIES, separated


class Embedding(NamedTuple):
    """The embeddings of images: pooled features and features after the BN neck, each (B, V, D) float32, not normalised."""

    pool: Tensor
    neck: Tensor


class Output(NamedTuple):
    """The input of the losses, float32, visible images first, then infrared.

    features (V, 2N, D); logits (V, 2N, C); neck (V, 2N, D), features after the neck; attributes (V, 2N, Σ sizes), the logits of
    all attributes side by side, None if the network has no attribute head.
    """

    features: Tensor
    logits: Tensor
    neck: Tensor
    attributes: Tensor | None = None


class Network(nn.Module):
    """A stem for each modality, a trunk, a BN neck and a classifier; in training only, a linear head for person attributes.

    A subclass calls `add_trunk`, builds its own parts, calls `add_head`, and implements `pooled`, which maps the stems' output to
    the features of V views.
    """

    views = 1
    between_stages = False  # whether the network has parts between the stages of its backbone, which a vision transformer lacks
    if TYPE_CHECKING:  # nn.Module's returns Any

        def __call__(self, visible: Tensor, infrared: Tensor) -> Output: ...

    def add_trunk(self, backbone: str, stages: int, pretrained: bool) -> list[int]:
        """Adds both stems and the layers; returns the output channels of the stems and each layer. pretrained: on ImageNet."""
        self.visible_stem, self.infrared_stem, self.layers, channels, self.strides = build_backbone(backbone, stages, pretrained)
        if self.between_stages and len(self.layers) != stages:
            problem = f"found {backbone!r}, which has no stages, but {type(self).__name__} has parts between stages"
            raise ValueError(f"backbone: {problem}; use network 'twostream', or another backbone")
        return channels

    def add_head(self, size: int, num_classes: int) -> None:
        """Adds the BN neck and the classifier for features of this size."""
        self.register_module("attributes", None)
        self.neck = nn.BatchNorm1d(size)
        self.neck.bias.requires_grad_(False)  # keeps the neck features centred on the origin (Luo et al., CVPRW 2019)
        self.classifier = nn.Linear(size, num_classes, bias=False)
        nn.init.normal_(self.neck.weight, 1.0, 0.01)
        nn.init.normal_(self.classifier.weight, 0.0, 0.001)

    def add_attributes(self, values: int) -> None:
        """Adds an attribute head. values: total number of values of all attributes."""
        self.attributes = nn.Linear(self.neck.num_features, values)

    @property
    def stems(self) -> dict[str, nn.Module]:
        """The stem of each modality."""
        return {"visible": self.visible_stem, "infrared": self.infrared_stem}

    def pooled(self, low: Tensor) -> Tensor:
        """The stems' output (B, C, h, w) → pooled features (V·B, D), at least float32, view-major."""
        raise NotImplementedError

    def adapted(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The entries of any network's state in the form of this one's, which may have other stems."""
        return state if hasattr(self, "stem") else separated(state)

    def _necked(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return self.neck(features)

    def forward(self, visible: Tensor, infrared: Tensor) -> Output:
        """Normalised images (N, 3, H, W) of either modality → Output."""
        return self.classified(self.features(visible, infrared))

    def features(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) of either modality → pooled features (V·2N, D), view-major, visible images first."""
        return self.pooled(torch.cat([self.low(visible, "visible"), self.low(infrared, "infrared")]))

    def low(self, images: Tensor, modality: str) -> Tensor:
        """Normalised images (B, 3, H, W) of one modality → the output of its stem (B, C, h, w)."""
        return self.stems[modality](images)

    def classified(self, features: Tensor) -> Output:
        """Pooled features (V·2N, D), as returned by `features` → Output."""
        with torch.autocast(features.device.type, enabled=False):
            neck = self._necked(features)
            found = [features, self.classifier(neck), neck]
            if self.attributes is not None:
                found.append(self.attributes(neck))
        return Output(*(rows.view(self.views, -1, rows.shape[1]) for rows in found))

    def embed(self, images: Tensor, modality: str) -> Embedding:
        """Normalised images (B, 3, H, W) of one modality, "visible" or "infrared" → Embedding."""
        if modality not in MODALITIES:
            raise ValueError(f"modality: found {modality!r}, expected one of {', '.join(MODALITIES)}")
        pool = self.pooled(self.low(images, modality))
        neck = self._necked(pool)
        return Embedding(*(f.unflatten(0, (self.views, -1)).transpose(0, 1) for f in (pool, neck)))


def average(maps: Tensor) -> Tensor:
    """Mean over positions, (B, D, h, w) → (B, D), at least float32."""
    return maps.mean((2, 3), dtype=torch.promote_types(maps.dtype, torch.float32))


def generalised_mean(maps: Tensor) -> Tensor:
    """(⟨max(x, 0)³⟩ + 1e-12)^⅓ over positions, (B, D, h, w) → (B, D), at least float32."""
    full = maps.to(torch.promote_types(maps.dtype, torch.float32)).clamp(min=0)
    return (full.pow(3).mean((2, 3)) + 1e-12).pow(1 / 3)
