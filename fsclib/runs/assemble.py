"""Builds what a configuration describes: its images, and its network with the initial weights."""

from typing import Any

import torch

from fsclib.config import Config
from fsclib.data.images import Images, open_images
from fsclib.data.progressive import reduced_size
from fsclib.models import timm_backbones, weights
from fsclib.models.base import Network
from fsclib.models.networks import build_model
from fsclib.runs.environment import environment
from fsclib.runs.start import digest_of_start, starting_weights


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


def network_of(config: Config, num_classes: int, init: bool, attributes: int = 0) -> Network:
    """The network of a configuration.

    init: load the initial weights, which are not needed to resume or test a run. attributes: total number of values of all
    person attributes, 0 for a network without an attribute head.
    """
    state = starting_weights(config.init, config.backbone) if init else None
    net = build_model(
        config.network,
        num_classes,
        stages=config.stages,
        modules=config.modules,
        branches=config.branches,
        backbone=config.backbone,
        init="imagenet" if init and config.init == "imagenet" else "none",
    )
    if config.backbone.startswith(timm_backbones.PREFIX):
        size = config.height, config.width
        timm_backbones.adapt(net, config.backbone, size, reduced_size(*size) if config.small_epochs else None)
    if attributes:
        net.add_attributes(attributes)
    if state is not None:
        weights.start_from(net, net.adapted(state))
    return net


def environment_of(
    config: Config, device: torch.device, precision: torch.dtype, images: Images, processes: int = 1
) -> dict[str, Any]:
    """The environment of a run of this configuration on this machine, with the hash of its initial weights if they are at hand."""
    found, digest = environment(device, precision, images, processes), digest_of_start(config)
    return found | {"weights": digest} if digest else found
