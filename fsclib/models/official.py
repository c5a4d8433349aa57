"""Loads checkpoints of the published programs (FSC-Net, DEEN, AGW and its two-stream baseline) into the networks of this library.

A published checkpoint contains more than the trained network: each stem has a whole unused ResNet, the trunk an unused stem and
fc, and a three-stage network an unused layer4. These entries are ignored by name; all other unknown or missing entries are
errors.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from fsclib.models import torchfile
from fsclib.models.backbone import Stem
from fsclib.models.base import Network
from fsclib.models.expansion import DILATIONS
from fsclib.models.networks import FSCNet
from fsclib.models.single_stem import OneStream

WRAPPED = re.compile(r"^(?:module\.|_orig_mod\.)+")  # added by DataParallel and torch.compile
PUBLISHED = ("fsc", "deen", "agw", "twostream")  # networks of which published programs save checkpoints
HOLDERS = ("net", "state_dict", "model")  # entries that hold a network's state, beside results and epoch
DEAD = re.compile(r"(visible|thermal)_module\.(visible|thermal)\.(layer\d|fc)\.|base_resnet\.base\.(conv1|bn1|fc)\.")
DEAD_WITH_THREE_STAGES = re.compile(r"base_resnet\.base\.layer4\.|MFA3\.")
PREFIXES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [  # published prefix → prefix in this library
    (r"visible_module\.visible\.conv1\.", "visible_stem.conv."),
    (r"visible_module\.visible\.bn1\.", "visible_stem.norm."),
    (r"thermal_module\.thermal\.conv1\.", "infrared_stem.conv."),
    (r"thermal_module\.thermal\.bn1\.", "infrared_stem.norm."),
    (r"base_resnet\.base\.layer(\d)\.", lambda m: f"layers.{int(m[1]) - 1}."),
    (r"MFA(\d)\.CNL\.(?:W\.)?", lambda m: f"aggregations.{int(m[1]) - 1}.channel." + "project." * m[0].endswith("W.")),
    (r"MFA(\d)\.PNL\.(?:W\.)?", lambda m: f"aggregations.{int(m[1]) - 1}.position." + "project." * m[0].endswith("W.")),
    (r"DEE\.FC([12])\.", lambda m: f"expansion.branches.{int(m[1]) - 1}.restore."),
    (r"DEE\.freq_attn([12])\.conv_reduce\.", lambda m: f"expansion.branches.{int(m[1]) - 1}.steps.frequency.reduce."),
    (r"DEE\.freq_attn([12])\.mlp\.", lambda m: f"expansion.branches.{int(m[1]) - 1}.steps.frequency.gate."),
    (r"DEE\.gate([12])\.fc1\.", lambda m: f"expansion.branches.{int(m[1]) - 1}.steps.channel.expand."),
    (r"DEE\.gate([12])\.fc2\.", lambda m: f"expansion.branches.{int(m[1]) - 1}.steps.channel.shrink."),
    (r"DEE\.gate([12])\.", lambda m: f"expansion.branches.{int(m[1]) - 1}.steps.channel."),
    (r"DEE\.spitial([12])\.", lambda m: f"expansion.branches.{int(m[1]) - 1}.steps.spatial."),
    (r"NL_(\d)\.(\d+)\.g\.0\.", lambda m: f"non_locals.{int(m[1]) - 1}.{m[2]}.g."),
    (r"NL_(\d)\.(\d+)\.W\.", lambda m: f"non_locals.{int(m[1]) - 1}.{m[2]}.project."),
    (r"NL_(\d)\.(\d+)\.", lambda m: f"non_locals.{int(m[1]) - 1}.{m[2]}."),
    (r"bottleneck\.", "neck."),
    (r"classifier\.", "classifier."),
]


FOREIGN: list[tuple[str, str]] = [  # entry of a trunk that no published program has → what the trunk is
    (r"(^|\.)(patch_embed|cls_token|pos_embed)\b|(^|\.)blocks\.\d+\.attn\.", "a vision transformer"),
    (r"\.bn\d\.(IN|BN)\.", "a ResNet-IBN"),
    (r"(^|\.)layer0\.", "an SENet, or a ResNet in its layout"),
    (r"(^|\.)conv1\.\d+\.", "a ResNet with a deep stem"),
    (r"\.downsample\.(1\.conv|2)\.", "a ResNet-D, whose shortcuts average before they convolve"),
]
LISTED = 20  # entries that an error names


class Place(NamedTuple):
    """The target of a published entry: an entry of this library's state, and a slice of its first dimension (None: all)."""

    name: str
    rows: slice | None = None


def place(published: str, channels: int) -> Place | None:
    """The place of a published entry, or None if its name is unknown. `channels`: C/4 of the expansion, if there is one."""
    if match := re.fullmatch(r"DEE\.FC([12])([123])\.weight", published):
        branch, dilation = int(match[1]) - 1, int(match[2])
        # here, both branches of a dilation are merged into one convolution
        return Place(f"expansion.dilated.{DILATIONS.index(dilation)}.weight", slice(branch * channels, (branch + 1) * channels))
    for pattern, prefix in PREFIXES:
        if match := re.match(pattern, published):
            return Place((prefix if isinstance(prefix, str) else prefix(match)) + published[match.end() :])
    return None


def branch_channels(net: Network) -> int:
    """C/4 of the expansion, 0 for a network without one."""
    if not isinstance(net, FSCNet):
        return 0
    return len(net.expansion.dilated[0].get_parameter("weight")) // len(net.expansion.branches)


def load_official(net: Network, state_dict: Mapping[str, Tensor]) -> None:
    """Copies the entries of a published checkpoint into `net`, in place; on an error nothing is changed.

    Errors: ValueError for a network whose backbone is not a ResNet of fsclib, and one that names the trunk of another program and
    lists unknown entries, entries of another shape and entries of `net` missing from the checkpoint.
    """
    if isinstance(net, OneStream):
        expected = "FSC-Net, DEEN, AGW or two-stream: no published program saves others"
        raise ValueError(f"found a {type(net).__name__}, expected {expected}")
    if isinstance(net, Network) and not isinstance(net.stems["visible"], Stem):
        found = f"found a {type(net).__name__} with a backbone of another package"
        raise ValueError(f"{found}, expected a ResNet, as in the published programs: build it with backbone='resnet50'")
    own = net.state_dict()
    channels = branch_channels(net)
    filled = dict.fromkeys(own, 0)
    moves, problems = [], []
    for published, value in state_dict.items():
        published = WRAPPED.sub("", published)
        if DEAD.match(published) or (len(net.layers) == 3 and DEAD_WITH_THREE_STAGES.match(published)):
            continue
        target = place(published, channels)
        if target is None or target.name not in own:
            problems.append(f"{published}: unknown to this network")
            continue
        entry = own[target.name] if target.rows is None else own[target.name][target.rows]
        if entry.shape != value.shape:
            problems.append(f"{published}: found shape {tuple(value.shape)}, expected {tuple(entry.shape)}")
            continue
        if not torch.can_cast(value.dtype, entry.dtype):
            problems.append(f"{published}: found {value.dtype}, expected {entry.dtype}")
            continue
        filled[target.name] += len(entry) if entry.dim() else 1
        moves.append((entry, value))
    problems += [
        f"{name}: not in the checkpoint" for name, rows in filled.items() if rows < (len(own[name]) if own[name].dim() else 1)
    ]
    if problems:
        more = [f"… and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
        raise ValueError(
            foreign(state_dict)
            + f"the checkpoint does not fit this network ({len(problems)} entries):\n  "
            + "\n  ".join([*problems[:LISTED], *more])
            + "\nCheck num_classes (training identities), stages (3 for RegDB) and modules (none for DEEN)."
        )
    with torch.no_grad():
        for entry, value in moves:
            entry.copy_(value)


def renamed(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a published checkpoint under the names of this library, without those of parts that it lacks.

    Of use to initialise a network that shares only some parts with the published one; to load the same network, see load_official.
    """
    found: dict[str, list[tuple[int, Tensor]]] = {}
    for published, value in state_dict.items():
        published = WRAPPED.sub("", published)
        target = None if DEAD.match(published) else place(published, len(value) if value.dim() else 0)
        if target is not None:
            found.setdefault(target.name, []).append((target.rows.start if target.rows else 0, value))
    return {
        name: parts[0][1] if len(parts) == 1 else torch.cat([value for _, value in sorted(parts, key=lambda part: part[0])])
        for name, parts in found.items()
    }


def foreign(names: Iterable[str]) -> str:
    """A line that says what the trunk of a checkpoint is by the names of its entries, "" for torchvision's ResNet."""
    names = list(names)
    found = next((kind for pattern, kind in FOREIGN if any(re.search(pattern, name) for name in names)), "")
    return f"the trunk of this checkpoint is {found}, not the ResNet of torchvision and the published programs;\n" if found else ""


def _plain(value: object) -> bool:
    """Whether it is an ordinary tensor: sparse, quantised and meta tensors would fail in the middle of a copy."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized and value.device.type == "cpu"


def use_published_order(net: Network, on: bool = True) -> None:
    """Makes `net` multiply in the order of the published programs: the same function, slower, with their rounding.

    It matters only for comparisons in float32: gradients of these networks amplify rounding, and in either order those of a few
    small biases differ by up to some per cent from float64.
    """
    for module in net.modules():
        if hasattr(module, "published_order"):
            module.published_order = on  # type: ignore[assignment]  # to torch, attributes are tensors or modules


def read_official(path: str | Path) -> dict[str, Tensor]:
    """The state in a file saved by a published program; reads only tensors and executes no code from the file.

    Errors: ValueError if the file is not such a checkpoint, or contains objects other than tensors and plain values.
    """
    try:
        content = torchfile.load(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a checkpoint of tensors ({error})") from error
    held = [content[name] for name in HOLDERS if isinstance(content, dict) and isinstance(content.get(name), dict)]
    state = held[0] if held else content
    if not isinstance(state, dict) or not all(isinstance(name, str) and _plain(value) for name, value in state.items()):
        expected = f"the entries of a network, or a dict with them under {', '.join(map(repr, HOLDERS))}"
        raise ValueError(f"{path}: found {type(state).__name__}, expected {expected}")
    return state
