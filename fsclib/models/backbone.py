"""Two stems, one trunk: the ResNet that visible and infrared images share.

A stem is conv1 7×7/2, BatchNorm, ReLU, max-pool 3×3/2, one per modality. The trunk is layer1 … layer4 of a ResNet (v1.5: the
stride of a bottleneck sits on its 3×3 convolution), with the stride of layer4 set to 1. METHOD, section 1.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import ResNet, ResNet18_Weights, ResNet50_Weights, WeightsEnum
from torchvision.models.resnet import BasicBlock

from fsclib.models import torchfile


def half_resnet18(weights: None = None) -> ResNet:
    """A ResNet-18 of half the width: a stem of 32 channels, layers of 32, 64, 128 and 256; an eighth of ResNet-50's parameters."""
    net = ResNet(BasicBlock, [0, 0, 0, 0])  # the layers are built here, at the width that they have
    net.inplanes = 32
    net.conv1, net.bn1 = nn.Conv2d(3, 32, 7, 2, 3, bias=False), nn.BatchNorm2d(32)
    for number, width in enumerate((32, 64, 128, 256)):
        setattr(net, f"layer{number + 1}", net._make_layer(BasicBlock, width, 2, stride=1 if number == 0 else 2))
    net.fc = nn.Linear(256, 1000)
    for part in net.modules():
        if isinstance(part, nn.Conv2d):  # as torchvision's constructors do
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return net


class Backbone(NamedTuple):
    """A ResNet: its constructor, its ImageNet weights (v1, as the published programs use) if there are any, and its channels."""

    build: Callable[..., ResNet]
    imagenet: WeightsEnum | None
    stem: int  # channels that the stems put out
    layer1: int  # channels that layer1 puts out; each further layer doubles them


BACKBONES = {
    "resnet18-half": Backbone(half_resnet18, None, 32, 32),
    "resnet18": Backbone(torchvision.models.resnet18, ResNet18_Weights.IMAGENET1K_V1, 64, 64),
    "resnet50": Backbone(torchvision.models.resnet50, ResNet50_Weights.IMAGENET1K_V1, 64, 256),
}


class Stem(nn.Module):
    """Images of one modality (B, 3, H, W) → first features (B, C, H/4, W/4)."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d):
        super().__init__()
        self.conv, self.norm = conv, norm
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.relu(self.norm(self.conv(images))))


def build_backbone(name: str, stages: int, imagenet: bool) -> tuple[Stem, Stem, nn.ModuleList, list[int]]:
    """The visible stem, the infrared stem, the trunk's layers and the channels that the stems and each layer put out.

    Args: `name` a key of BACKBONES; `stages` 3 or 4 layers of trunk; `imagenet` ImageNet weights in stems and trunk.
    Errors: ValueError for an unknown name, or one without ImageNet weights; FileNotFoundError when these are neither on disk nor
    to be had.
    """
    if name not in BACKBONES:
        raise ValueError(f"backbone: found {name!r}, expected one of {', '.join(BACKBONES)}")
    if stages not in (3, 4):
        raise ValueError(f"stages: found {stages!r}, expected 3 (RegDB) or 4 (SYSU-MM01, LLCM)")
    backbone = BACKBONES[name]
    resnets = [backbone.build(weights=None), backbone.build(weights=None)]
    if imagenet:
        weights = imagenet_weights(name)
        for resnet in resnets:
            resnet.load_state_dict(weights)
    trunk, donor = resnets
    for part in trunk.layer4[0].modules():
        if isinstance(part, nn.Conv2d) and part.stride == (2, 2):
            part.stride = (1, 1)  # keeps a 24×9 map for 384×144 images, as AGW and its descendants do
    layers = nn.ModuleList([trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4][:stages])
    channels = [backbone.stem, *(backbone.layer1 * 2**i for i in range(stages))]
    return Stem(trunk.conv1, trunk.bn1), Stem(donor.conv1, donor.bn1), layers, channels


def imagenet_weights(name: str) -> OrderedDict[str, Tensor]:
    """torchvision's ImageNet weights of a ResNet: from torch's hub folder, or fetched into it.

    Errors: FileNotFoundError that names the file, its folder and its address when it cannot be fetched; ValueError for a file that
    is there and holds something else, or for a backbone that has no such weights.
    """
    entry = BACKBONES[name].imagenet
    if entry is None:
        known = ", ".join(known for known, backbone in BACKBONES.items() if backbone.imagenet)
        raise ValueError(f"pretrained: found 'imagenet' with backbone {name!r}, expected one of {known}; or choose other weights")
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / entry.url.rsplit("/", 1)[1]
    if not file.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(entry.url, str(file), hash_prefix=file.stem.rsplit("-", 1)[1], progress=False)
        except (URLError, OSError, RuntimeError) as error:  # RuntimeError: the hash of what came does not match
            raise FileNotFoundError(
                f"ImageNet weights of {name}: {file} is not there and {entry.url} cannot be fetched ({error}). "
                f"Put {file.name} into {folder}, or pass pretrained=none to start from random weights."
            ) from error
    with torch.device("meta"):  # shapes alone, and no random number is drawn
        expected = _shapes(BACKBONES[name].build(weights=None).state_dict())
    try:
        found = torchfile.load(file)
        if not isinstance(found, dict) or _shapes(found) != expected:
            raise ValueError("other entries or shapes")
    except (OSError, ValueError) as error:
        told = f"{file} holds something else ({error}); delete it, and it is fetched anew"
        raise ValueError(f"ImageNet weights of {name}: {told}") from error
    return found


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """Of all entries but the counters of BatchNorm, which older files lack."""
    return {name: getattr(value, "shape", None) for name, value in state.items() if not str(name).endswith("num_batches_tracked")}
