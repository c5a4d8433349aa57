"""Builds what a configuration describes: its images, its network and the initial weights."""

from typing import Any

import torch
from torch import Tensor

from fsclib.config import Config
from fsclib.data.images import Images, open_images
from fsclib.errors import FsclibError
from fsclib.models import timm_backbones, weights
from fsclib.models.backbone import imagenet_weights
from fsclib.models.networks import Network, build_model
from fsclib.runs import checkpoint, folder
from fsclib.runs.environment import environment


def images_of(config: Config) -> Images:
    """The decoded data set of a configuration. Errors: DatasetError that lists everything wrong with it."""
    return open_images(
        config.dataset,
        (config.height, config.width),
        root=config.data_root or None,
        trial=config.trial,
        strict=config.strict,
        workers=config.workers,
    )


def network_of(config: Config, num_classes: int, pretrained: bool, attributes: int = 0) -> Network:
    """The network of a configuration.

    pretrained: load the initial weights, which are not needed to resume or test a run. attributes: total number of values of all
    person attributes, 0 for a network without an attribute head.
    """
    state = starting_weights(config.pretrained, config.backbone) if pretrained else None
    net = build_model(
        config.network,
        num_classes,
        stages=config.stages,
        modules=config.modules,
        branches=config.branches,
        backbone=config.backbone,
        pretrained=pretrained and config.pretrained == "imagenet",
    )
    if config.backbone.startswith(timm_backbones.PREFIX):
        timm_backbones.adapt(net, config.backbone, (config.height, config.width))
    if attributes:
        net.add_attributes(attributes)
    if state is not None:
        weights.start_from(net, state)
    return net


def environment_of(
    config: Config, device: torch.device, precision: torch.dtype, images: Images, processes: int = 1
) -> dict[str, Any]:
    """The environment of a run of this configuration on this machine, with the hash of its initial weights if they are at hand."""
    found, digest = environment(device, precision, images, processes), digest_of_start(config)
    return found | {"weights": digest} if digest else found


def digest_of_start(config: Config) -> str:
    """A hash of the initial weights, "" for random ones and for those that are gone, which a run that resumes does not need."""
    if config.pretrained == "none":
        return ""
    if weights.are_shipped(config.pretrained):
        return str(weights.card(config.pretrained)["sha256"])
    try:
        state = starting_weights(config.pretrained, config.backbone) or imagenet_weights(config.backbone)
    except (FsclibError, ValueError, OSError):
        return ""
    return weights.digest_of(state)


def starting_weights(pretrained: str, backbone: str) -> dict[str, Tensor] | None:
    """Initial weights by name: shipped ones or those of a finished run; None for ImageNet or random weights.

    Errors: ValueError for weights that are missing, broken or for another backbone; RunError if the run does not exist.
    """
    if pretrained in ("none", "imagenet"):
        return None
    if weights.are_shipped(pretrained):
        return weights.read(pretrained, backbone)
    dataset, _, name = pretrained.partition("/")
    run = folder.load(dataset, name)
    if run.config.backbone != backbone:
        found = f"a run with backbone {run.config.backbone}, expected {backbone}"
        raise ValueError(f"pretrained: found {pretrained!r}, {found}; choose another run or backbone")
    return checkpoint.network(run.checkpoint("best"))
