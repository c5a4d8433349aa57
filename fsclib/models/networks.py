"""The networks: FSC-Net and DEEN, AGW, the two-stream baseline, BDTR, and those with a single stem (single_stem.py).

two-stream  visible → stem ┐
                           ┼ layer1 → layer2 → layer3 → layer4 → average pool → BN neck → classifier
            infrared → stem┘
BDTR        the same, trained with the top-ranking loss
AGW         the same with non-local blocks after the last blocks of layer2 and layer3, and generalised-mean pooling
FSC-Net     layer1 → MFA → layer2 → MFA → layer3 → MFA → expansion into views x, x₁, x₂ → layer4 → average pool → …
DEEN        FSC-Net without its three modules

With three stages, FSC-Net's expansion is before the third layer, and the last MFA and layer4 are absent.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from fsclib.models import weights
from fsclib.models.aggregation import MultistageFeatureAggregation
from fsclib.models.base import Network, average, generalised_mean
from fsclib.models.expansion import DiverseEmbeddingExpansion
from fsclib.models.fsc import PUBLISHED
from fsclib.models.nonlocal_block import NonLocal
from fsclib.models.single_stem import OneStream, ZeroPadding

NON_LOCALS = (0, 2, 3, 0)  # number of AGW's non-local blocks in each layer, after its last residual blocks


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


class BDTR(TwoStream):
    """Two-stream, which the presets train with the top-ranking loss (Ye et al., IJCAI 2018, who use an AlexNet); V = 1."""


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


NETWORKS: dict[str, type[Network]] = {
    "fsc": FSCNet, "deen": DEEN, "agw": AGW, "bdtr": BDTR, "twostream": TwoStream, "onestream": OneStream, "zeropad": ZeroPadding,
}  # fmt: skip


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

    Args: `num_classes` training identities; `stages` 4 for SYSU-MM01 and LLCM, 3 for RegDB (FSC-Net and DEEN alone);
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
        weights.start_from(net, net.adapted(state))
    return net
