"""From a configuration to the things it names: its images, its network, and the weights that it starts from."""

from typing import Any

import torch
from torch import Tensor

from fsclib import checkpoint, runs
from fsclib.config import Config
from fsclib.data.images import Images, open_images
from fsclib.machine import environment
from fsclib.models import weights
from fsclib.models.networks import Network, build_model


def images_of(config: Config) -> Images:
    """The data set of a configuration, decoded. Errors: DatasetError with everything that is wrong with it."""
    return open_images(
        config.dataset,
        (config.height, config.width),
        root=config.data_root or None,
        trial=config.trial,
        strict=config.strict,
        workers=config.workers,
    )


def network_of(config: Config, num_classes: int, pretrained: bool, attributes: int = 0) -> Network:
    """The network of a configuration; `pretrained`: with the weights that it starts from, which one that goes on or is tested needs
    not; `attributes`: values that people's attributes have between them, if there is a head for them."""
    state = starting_weights(config) if pretrained else None
    net = build_model(
        config.network,
        num_classes,
        stages=config.stages,
        modules=config.modules,
        branches=config.branches,
        backbone=config.backbone,
        pretrained=pretrained and config.pretrained == "imagenet",
    )
    if attributes:
        net.add_attributes(attributes)
    if state is not None:
        weights.start_from(net, state)
    return net


def ours(config: Config) -> bool:
    """Whether a configuration starts from weights that come with fsclib."""
    return config.pretrained.partition("/")[0] == "people"


def environment_of(config: Config, device: torch.device, precision: torch.dtype, images: Images, ranks: int = 1) -> dict[str, Any]:
    """What a run of this configuration finds here: machine.environment, and the hash of the weights of ours that it starts from."""
    found = environment(device, precision, images, ranks)
    return found | {"weights": weights.card(config.pretrained)["sha256"]} if ours(config) else found


def starting_weights(config: Config) -> dict[str, Tensor] | None:
    """What the network of a configuration starts from: weights of ours, or those of a finished run; None where from neither.

    Errors: ValueError for weights that are missing, broken or of another backbone; RunError for a run that is not there.
    """
    if config.pretrained in ("none", "imagenet"):
        return None
    if ours(config):
        return weights.read(config.pretrained, config.backbone)
    run = runs.load(*config.pretrained.split("/"))
    if run.config.backbone != config.backbone:
        there = f"a run with backbone {run.config.backbone}, expected {config.backbone}"
        raise ValueError(f"pretrained: found {config.pretrained!r}, {there}; choose another of either")
    return checkpoint.network(run.checkpoint("best"))
