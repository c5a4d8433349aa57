"""The ResNet backbone: a stem for each modality and a trunk shared by visible and infrared images.

A stem is conv1 7×7/2, BatchNorm, ReLU, max-pool 3×3/2, one per modality. The trunk is layer1 … layer4 of a ResNet (v1.5: the
stride of a bottleneck is in its 3×3 convolution), with the stride of layer4 set to 1. As in AGW and DEEN (Ye et al., TPAMI 2021).
"""

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
    """A ResNet-18 of half the width: 32 channels in the stem, 32, 64, 128 and 256 in the layers; 1/8 of ResNet-50's parameters."""
    net = ResNet(BasicBlock, [0, 0, 0, 0])  # empty layers, replaced below by layers of half the width
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
    """A ResNet: its constructor, its ImageNet weights if they exist (v1, as in the published programs), and its channels."""

    build: Callable[..., ResNet]
    imagenet: WeightsEnum | None
    stem: int  # output channels of the stems
    layer1: int  # output channels of layer1; each further layer doubles them


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
    """The visible stem, the infrared stem, the trunk's layers, and the output channels of the stems and each layer.

    Args: `name` a key of BACKBONES; `stages` 3 or 4 layers of the trunk; `imagenet` load ImageNet weights into stems and trunk.
    Errors: ValueError for an unknown name, or one without ImageNet weights; FileNotFoundError if these are not on disk and cannot
    be downloaded.
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
            part.stride = (1, 1)  # gives a 24×9 map for 384×144 images, as in AGW and methods based on it
    layers = nn.ModuleList([trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4][:stages])
    channels = [backbone.stem, *(backbone.layer1 * 2**i for i in range(stages))]
    return Stem(trunk.conv1, trunk.bn1), Stem(donor.conv1, donor.bn1), layers, channels


def imagenet_weights(name: str) -> dict[str, Tensor]:
    """torchvision's ImageNet weights of a ResNet, downloaded into torch's hub folder if they are not there.

    Errors: FileNotFoundError that names the file, its folder and its URL if it cannot be downloaded; ValueError for a file with
    other content, or for a backbone without ImageNet weights.
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
        except (URLError, OSError, RuntimeError) as error:  # RuntimeError: the hash of the download does not match
            raise FileNotFoundError(
                f"ImageNet weights of {name}: {file} does not exist and {entry.url} cannot be downloaded ({error}). "
                f"Put {file.name} into {folder}, or pass pretrained=none to start from random weights."
            ) from error
    with torch.device("meta"):  # shapes only, without drawing random numbers
        expected = _shapes(BACKBONES[name].build(weights=None).state_dict())
    try:
        found = torchfile.load(file)
        if not isinstance(found, dict) or _shapes(found) != expected:
            raise ValueError("other entries or shapes")
    except (OSError, ValueError) as error:
        problem = f"{file} has other content ({error}); delete it to download it again"
        raise ValueError(f"ImageNet weights of {name}: {problem}") from error
    return found


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size | None]:
    """Shapes of all entries but BatchNorm's counters, which older files lack."""
    return {name: getattr(value, "shape", None) for name, value in state.items() if not str(name).endswith("num_batches_tracked")}
