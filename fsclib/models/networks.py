"""The networks: FSC-Net and DEEN, the two-stream baseline and AGW.

two-stream  visible → stem ┐
                           ┼ layer1 → layer2 → layer3 → layer4 → average pool → BN neck → classifier
            infrared → stem┘
AGW         the same with non-local blocks after the last blocks of layer2 and layer3, and generalised-mean pooling
FSC-Net     layer1 → MFA → layer2 → MFA → layer3 → MFA → expansion into views x, x₁, x₂ → layer4 → average pool → …
DEEN        FSC-Net without its three modules

With three stages, FSC-Net's expansion is before the third layer, and the last MFA and layer4 are absent.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from fsclib.models import weights
from fsclib.models.aggregation import MultistageFeatureAggregation
from fsclib.models.backbone import build_backbone
from fsclib.models.expansion import DiverseEmbeddingExpansion
from fsclib.models.fsc import PUBLISHED
from fsclib.models.nonlocal_block import NonLocal

MODALITIES = ("visible", "infrared")
NON_LOCALS = (0, 2, 3, 0)  # number of AGW's non-local blocks in each layer, after its last residual blocks


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
    """Two stems, one trunk, a BN neck and a classifier; and, in training only, a linear head for person attributes.

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

    def pooled(self, low: Tensor) -> Tensor:
        """The stems' output (B, C, h, w) → pooled features (V·B, D), at least float32, view-major."""
        raise NotImplementedError

    def _necked(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return self.neck(features)

    def forward(self, visible: Tensor, infrared: Tensor) -> Output:
        """Normalised images (N, 3, H, W) of either modality → Output."""
        return self.classified(self.features(visible, infrared))

    def features(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) of either modality → pooled features (V·2N, D), view-major, visible images first."""
        return self.pooled(torch.cat([self.visible_stem(visible), self.infrared_stem(infrared)]))

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
        pool = self.pooled((self.visible_stem if modality == "visible" else self.infrared_stem)(images))
        neck = self._necked(pool)
        return Embedding(*(f.unflatten(0, (self.views, -1)).transpose(0, 1) for f in (pool, neck)))


class TwoStream(Network):
    """The backbone alone; V = 1 view with D = 2048 for ResNet-50 and four stages."""

    def __init__(self, num_classes: int, *, stages: int = 4, backbone: str = "resnet50", pretrained: bool = False):
        super().__init__()
        channels = self.add_trunk(backbone, stages, pretrained)
        self.add_head(channels[-1], num_classes)

    def pooled(self, low: Tensor) -> Tensor:
        for layer in self.layers:
            low = layer(low)
        return average(low)


class AGW(Network):
    """Two-stream with non-local attention and generalised-mean pooling (Ye et al., TPAMI 2021); V = 1, D as in TwoStream.

    ResNet-50 has non-local blocks after the last two blocks of layer2 and the last three of layer3; a ResNet-18, whose layers have
    two blocks, after both blocks of each; stages of timm that are not sequences of blocks have one, at their end. It needs four
    stages: a non-local block may output negative values, for which the generalised mean is undefined, while layer4 ends with a
    ReLU. Of backbones that end otherwise, it pools the positive part.
    """

    between_stages = True

    def __init__(self, num_classes: int, *, stages: int = 4, backbone: str = "resnet50", pretrained: bool = False):
        super().__init__()
        if stages != 4:
            raise ValueError(f"stages: found {stages!r}, expected 4: AGW has four stages on every data set")
        channels = self.add_trunk(backbone, stages, pretrained)
        self.non_locals = nn.ModuleList(
            nn.ModuleList(NonLocal(width) for _ in range(min(number, len([*layer.children()]))))
            for layer, width, number in zip(self.layers, channels[1:], NON_LOCALS, strict=False)
        )
        self.add_head(channels[-1], num_classes)

    def pooled(self, low: Tensor) -> Tensor:
        for layer, non_locals in zip(self.layers, self.non_locals, strict=True):
            blocks, attentions = [*layer.children()], [*non_locals.children()]
            first = len(blocks) - len(attentions)
            for number, block in enumerate(blocks):
                low = block(low)
                if number >= first:
                    low = attentions[number - first](low)
        return generalised_mean(low)


class FSCNet(Network):
    """Frequency–spatial–channel collaborative network; V = 3 views with D = 2048 (four stages) or 1024 (three) for ResNet-50.

    `modules`: active modules, names from MODULES in order; `branches`: number of views added by the expansion, published: 2.
    """

    between_stages = True

    def __init__(
        self,
        num_classes: int,
        *,
        stages: int = 4,
        modules: Sequence[str] = PUBLISHED,
        branches: int = 2,
        backbone: str = "resnet50",
        pretrained: bool = False,
        dropout: float = 0.01,
    ):
        super().__init__()
        channels = self.add_trunk(backbone, stages, pretrained)
        self.aggregations = nn.ModuleList(
            MultistageFeatureAggregation(channels[i + 1], channels[i], self.strides[i]) for i in range(stages - 1)
        )
        self.expansion = DiverseEmbeddingExpansion(channels[-2], modules, branches)
        self.dropout = nn.Dropout(dropout)
        self.add_head(channels[-1], num_classes)
        self.views = 1 + branches

    def pooled(self, low: Tensor) -> Tensor:
        for layer, aggregate in zip(self.layers, self.aggregations, strict=False):  # the last layer has no aggregation
            low = aggregate(layer(low), low)
        return average(self.layers[-1](self.dropout(self.expansion(low))))


class DEEN(FSCNet):
    """Diverse embedding expansion network (Zhang & Wang, CVPR 2023): FSC-Net without its modules; `modules` is ignored."""

    def __init__(self, num_classes: int, **options: Any):
        super().__init__(num_classes, **options | {"modules": ()})


def average(maps: Tensor) -> Tensor:
    """Mean over positions, (B, D, h, w) → (B, D), at least float32."""
    return maps.mean((2, 3), dtype=torch.promote_types(maps.dtype, torch.float32))


def generalised_mean(maps: Tensor) -> Tensor:
    """(⟨max(x, 0)³⟩ + 1e-12)^⅓ over positions, (B, D, h, w) → (B, D), at least float32."""
    full = maps.to(torch.promote_types(maps.dtype, torch.float32)).clamp(min=0)
    return (full.pow(3).mean((2, 3)) + 1e-12).pow(1 / 3)


NETWORKS: dict[str, type[Network]] = {"fsc": FSCNet, "deen": DEEN, "agw": AGW, "twostream": TwoStream}


def build_model(
    name: str,
    num_classes: int,
    *,
    stages: int = 4,
    modules: Sequence[str] = PUBLISHED,
    branches: int = 2,
    backbone: str = "resnet50",
    init: str = "none",
) -> Network:
    """Builds a network by name, one of NETWORKS.

    Args: `num_classes` training identities; `stages` 4 for SYSU-MM01 and LLCM, 3 for RegDB (AGW and two-stream: 4 everywhere);
    `modules` active FSC-Net modules in order, and `branches` of its expansion, both ignored by networks without them;
    `backbone` a name of BACKBONES, such as "resnet50", or a model of timm, "timm/…"; `init` "none", "imagenet", or shipped
    weights by name ("people", …; see weights.names).
    Errors: ValueError for an unknown name, FileNotFoundError if ImageNet weights cannot be downloaded, ImportError without timm.
    """
    if name not in NETWORKS:
        raise ValueError(f"network: found {name!r}, expected one of {', '.join(NETWORKS)}")
    network = NETWORKS[name]
    own = {"modules": modules, "branches": branches} if issubclass(network, FSCNet) else {}
    state = weights.read(init, backbone) if init not in ("none", "imagenet") else None  # first, because it may raise
    net = network(num_classes, stages=stages, backbone=backbone, pretrained=init == "imagenet", **own)
    if state is not None:
        weights.start_from(net, state)
    return net
