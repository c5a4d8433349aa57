"""Feature maps of a network: the outputs of its stems, layers, aggregations, branches and modules.

A point is a named place in a network:

    input, stem, layer1, MFA1, layer2, …       before the expansion, by layer
    view 1 before, view 1 FSA, … , view 1      the input of a branch's modules, the output of each, and the output of the branch
    layer4 view 0, layer4 view 1, …            after the expansion, by view
    layer2 block 3, non-local 2.3, …           AGW's non-local blocks, numbered by the residual blocks that they follow

Modules added by other packages (MODULES) keep their own names.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fsclib.models.base import Network
from fsclib.models.fsc import SHORT
from fsclib.models.networks import AGW, FSCNet

BATCH = 32  # images whose maps are held at once


@dataclass(frozen=True)
class Point:
    """Where a map is taken: the input or output of one of `modules`, of which an image passes one.

    before: the point whose map the module turns into this one, of the same shape; "" if there is none.
    """

    modules: tuple[nn.Module, ...]
    before: str = ""
    entering: bool = False


def points(net: Network) -> dict[str, Point]:
    """Every point of a network by its name, in the order in which an image passes them."""
    stems = tuple(dict.fromkeys(net.stems.values()))
    found = {"input": Point(stems, entering=True), "stem": Point(stems)}
    for number, layer in enumerate(net.layers):
        if isinstance(net, FSCNet) and number == len(net.layers) - 1:
            found |= _branches(net)
        blocks, attentions = [*layer.children()], [*net.non_locals[number].children()] if isinstance(net, AGW) else []
        for block, attention in zip(range(len(blocks) - len(attentions), len(blocks)), attentions, strict=True):
            before = f"layer{number + 1} block {block + 1}"
            found[before] = Point((blocks[block],))
            found[f"non-local {number + 1}.{block + 1}"] = Point((attention,), before)
        if not attentions:
            found[f"layer{number + 1}"] = Point((blocks[-1],))
        if isinstance(net, FSCNet) and number < len(net.aggregations):
            found[f"MFA{number + 1}"] = Point((net.aggregations[number],), f"layer{number + 1}")
    return found


def _branches(net: FSCNet) -> dict[str, Point]:
    found = {}
    for number, branch in enumerate(net.expansion.branches, 1):
        before = f"view {number} before"
        found[before] = Point((branch,), entering=True)
        for name, step in branch.get_submodule("steps").named_children():
            after = f"view {number} {SHORT.get(name, name)}"
            found[after] = Point((step,), before)
            before = after
        found[f"view {number}"] = Point((branch,))
    return found


def chains(net: Network) -> dict[str, list[str]]:
    """Chains of points connected by modules that keep the shape of a map, by the name of the chain.

    A view's chain is named after the view and exists even without a module; the others are named after their last point.
    """
    found = {name: [name] for name in points(net) if name.endswith(" before")}
    for name, point in points(net).items():
        if point.before:
            line = next((line for line in found.values() if line[-1] == point.before), None)
            if line is None:
                found[name] = [point.before, name]
            else:
                line.append(name)
    return {name.removesuffix(" before"): line for name, line in found.items()}


def select(net: Network, names: Sequence[str]) -> dict[str, Point]:
    """The named points. Errors: ValueError that lists the unknown points and those of this network."""
    known = points(net)
    if unknown := [name for name in names if name not in known]:
        expected = f"expected points of this {type(net).__name__}: {', '.join(known)}"
        raise ValueError(f"layers: found {', '.join(unknown)}, {expected}")
    return {name: known[name] for name in names}


@torch.inference_mode()
def capture(net: Network, images: Tensor, modality: str, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Maps (B, C, h, w) of normalised images (B, 3, H, W) of one modality at the named points, in float32 and evaluation mode.

    Where several views pass a point there is one map per view, "layer4 view 0" and so on. All hooks are removed, and the network
    keeps the mode it had. Errors: ValueError for names that are not points of this network, or that its images do not pass.
    """
    chosen = select(net, names)
    kept: dict[str, Tensor] = {}

    def keep(name: str, value: Tensor) -> None:
        kept[name] = value.to("cpu", torch.float32, copy=True)  # a copy: the next layer may work in place

    was_training = net.training
    with ExitStack() as hooks, torch.autocast(images.device.type, enabled=False):
        hooks.callback(net.train, was_training)
        net.eval()
        for name, point in chosen.items():
            for module in point.modules:
                if point.entering:
                    hook = module.register_forward_pre_hook(lambda _, given, name=name: keep(name, given[0]))
                else:
                    hook = module.register_forward_hook(lambda _, given, out, name=name: keep(name, out))
                hooks.callback(hook.remove)
        net.embed(images.float(), modality)
    if missing := [name for name in names if name not in kept]:
        raise ValueError(f"layers: images do not pass {', '.join(missing)} of this {type(net).__name__}; leave them out")
    return {key: part.numpy() for name in names for key, part in _by_view(name, kept[name], len(images))}


def _by_view(name: str, maps: Tensor, number: int) -> Iterator[tuple[str, Tensor]]:
    parts = maps.split(number)  # views are concatenated
    yield from ((f"{name} view {view}" if len(parts) > 1 else name, part) for view, part in enumerate(parts))


def resolved(lines: Mapping[str, list[str]], captured: Collection[str]) -> dict[str, list[str]]:
    """Chains by the names of the maps from `capture`: a point after the expansion has one map per view."""
    found: dict[str, list[str]] = {}
    for name, line in lines.items():
        split = [key for key in captured if key.startswith(f"{name} view ")]
        found |= {key: [key] for key in split} if split else {name: line}
    return found
