"""Two stems, one trunk: the ResNet that visible and infrared images share.

A stem is conv1 7×7/2, BatchNorm, ReLU, max-pool 3×3/2, one per modality. The trunk is layer1 … layer4 of a ResNet (v1.5: the
stride of a bottleneck sits on its 3×3 convolution), with the stride of layer4 set to 1. METHOD, section 1.
"""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
import torchvision
from torch import Tensor, nn

from fsclib.models import torchfile

BACKBONES = {  # name → torchvision constructor, its ImageNet weights (v1, as the published programs use), channels of layer1
    "resnet18": (torchvision.models.resnet18, torchvision.models.ResNet18_Weights.IMAGENET1K_V1, 64),
    "resnet50": (torchvision.models.resnet50, torchvision.models.ResNet50_Weights.IMAGENET1K_V1, 256),
}
STEM_CHANNELS = 64


class Stem(nn.Module):
    """Images of one modality (B, 3, H, W) → first features (B, 64, H/4, W/4)."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d):
        super().__init__()
        self.conv, self.norm = conv, norm
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.relu(self.norm(self.conv(images))))


def build_backbone(name: str, stages: int, pretrained: bool) -> tuple[Stem, Stem, nn.ModuleList, list[int]]:
    """The visible stem, the infrared stem, the trunk's layers and the channels that each layer puts out.

    Args: `name` a key of BACKBONES; `stages` 3 or 4 layers of trunk; `pretrained` ImageNet weights in stems and trunk.
    Errors: ValueError for an unknown name; FileNotFoundError when the weights are neither on disk nor to be had.
    """
    if name not in BACKBONES:
        raise ValueError(f"backbone: found {name!r}, expected one of {', '.join(BACKBONES)}")
    if stages not in (3, 4):
        raise ValueError(f"stages: found {stages!r}, expected 3 (RegDB) or 4 (SYSU-MM01, LLCM)")
    constructor, _, width = BACKBONES[name]
    resnets = [constructor(weights=None), constructor(weights=None)]
    if pretrained:
        weights = imagenet_weights(name)
        for resnet in resnets:
            resnet.load_state_dict(weights)
    trunk, donor = resnets
    for part in trunk.layer4[0].modules():
        if isinstance(part, nn.Conv2d) and part.stride == (2, 2):
            part.stride = (1, 1)  # keeps a 24×9 map for 384×144 images, as AGW and its descendants do
    layers = nn.ModuleList([trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4][:stages])
    channels = [width * 2**i for i in range(stages)]
    return Stem(trunk.conv1, trunk.bn1), Stem(donor.conv1, donor.bn1), layers, channels


def imagenet_weights(name: str) -> OrderedDict[str, Tensor]:
    """torchvision's ImageNet weights of a ResNet: from torch's hub folder, or fetched into it.

    Errors: FileNotFoundError that names the file, its folder and its address when it cannot be fetched; ValueError for a file that
    is there and holds something else.
    """
    entry = BACKBONES[name][1]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / entry.url.rsplit("/", 1)[1]
    if not file.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(entry.url, str(file), hash_prefix=file.stem.rsplit("-", 1)[1], progress=False)
        except (URLError, OSError, RuntimeError) as error:  # RuntimeError: the hash of what came does not match
            raise FileNotFoundError(
                f"ImageNet weights of {name}: {file} is not there and {entry.url} cannot be fetched ({error}). "
                f"Put {file.name} into {folder}, or pass pretrained=False to start from random weights."
            ) from error
    with torch.device("meta"):  # shapes alone, and no random number is drawn
        expected = _shapes(BACKBONES[name][0](weights=None).state_dict())
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
