"""The ResNet backbone: a stem for each modality and a trunk shared by visible and infrared images.

A stem is conv1 7×7/2, BatchNorm, ReLU, max-pool 3×3/2, one per modality. The trunk is layer1 … layer4 of a ResNet (v1.5: the
stride of a bottleneck is in its 3×3 convolution), with the stride of layer4 set to 1. As in AGW and DEEN (Ye et al., TPAMI 2021).

Backbones "timm/…" come from timm_backbones.py.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor, nn

from fsclib.models import timm_backbones, torchfile
from fsclib.models.resnet import ResNet, half_resnet18, resnet18, resnet34, resnet50, resnet101
from fsclib.models.trunk import Trunk


class Backbone(NamedTuple):
    """A ResNet: its constructor, torchvision's name of its ImageNet weights, "" if it has none, and its channels."""

    build: Callable[[], ResNet]
    imagenet: str
    stem: int  # output channels of the stems
    layer1: int  # output channels of layer1; each further layer doubles them


BACKBONES = {
    "resnet18-half": Backbone(half_resnet18, "", 32, 32),
    "resnet18": Backbone(resnet18, "ResNet18_Weights.IMAGENET1K_V1", 64, 64),  # V1, as in the published programs
    "resnet34": Backbone(resnet34, "ResNet34_Weights.IMAGENET1K_V1", 64, 64),
    "resnet50": Backbone(resnet50, "ResNet50_Weights.IMAGENET1K_V1", 64, 256),
    "resnet101": Backbone(resnet101, "ResNet101_Weights.IMAGENET1K_V1", 64, 256),
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


def build_backbone(name: str, stages: int, imagenet: bool) -> Trunk:
    """The stems and layers of a backbone.

    Args: `name` a key of BACKBONES, or "timm/…"; `stages` 3 or 4 layers of the trunk; `imagenet` load ImageNet weights into stems
    and trunk.
    Errors: ValueError for an unknown name, or one without ImageNet weights; FileNotFoundError if these are not on disk and cannot
    be downloaded; ImportError for a backbone of timm without timm.
    """
    of_timm = name.startswith(timm_backbones.PREFIX)
    if name not in BACKBONES and not of_timm:
        raise ValueError(f"backbone: found {name!r}, expected one of {', '.join(BACKBONES)}, or a model of timm as timm/<name>")
    if stages not in (3, 4):
        raise ValueError(f"stages: found {stages!r}, expected 3 (RegDB) or 4 (SYSU-MM01, LLCM)")
    if of_timm:
        return timm_backbones.build(name, stages, imagenet)
    backbone = BACKBONES[name]
    resnets = [backbone.build(), backbone.build()]
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
    return Trunk(Stem(trunk.conv1, trunk.bn1), Stem(donor.conv1, donor.bn1), layers, channels, [1, 2, 2, 1][:stages])


def imagenet_weights(name: str) -> dict[str, Tensor]:
    """torchvision's ImageNet weights of a ResNet, or timm's of its models, downloaded if they are not on disk.

    Errors: FileNotFoundError that names the file, its folder and its URL if it cannot be downloaded; ValueError for a file with
    other content, or for a backbone without ImageNet weights.
    """
    if name.startswith(timm_backbones.PREFIX):
        return timm_backbones.create(name, pretrained=True).state_dict()
    entry = BACKBONES[name].imagenet
    if not entry:
        known = ", ".join(known for known, backbone in BACKBONES.items() if backbone.imagenet)
        raise ValueError(f"init: found 'imagenet' with backbone {name!r}, expected one of {known}; or choose other weights")
    from torchvision.models import get_weight  # here, because it is slow to import and rarely needed

    url = get_weight(entry).url
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / url.rsplit("/", 1)[1]
    if not file.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(file), hash_prefix=file.stem.rsplit("-", 1)[1], progress=False)
        except (URLError, OSError, RuntimeError) as error:  # RuntimeError: the hash of the download does not match
            raise FileNotFoundError(
                f"ImageNet weights of {name}: {file} does not exist and {url} cannot be downloaded ({error}). "
                f"Put {file.name} into {folder}, or pass init=none to start from random weights."
            ) from error
    with torch.device("meta"):  # shapes only, without drawing random numbers
        expected = _shapes(BACKBONES[name].build().state_dict())
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
