"""Whether the disk takes what a training writes, asked before images are decoded and hours are spent."""

import torch

from fsclib import checkpoint, runs
from fsclib.assemble import network_of
from fsclib.config import Config
from fsclib.disk import check_room


def check(config: Config, num_classes: int) -> None:
    """Refuses a training whose folder cannot be written, or whose checkpoints obviously find no room. Errors: DiskError.

    The new checkpoint is written beside the one that it replaces: two of weights and momenta, and the best weights.
    """
    folder = runs.folder_of(config)
    if config.resume and runs.Run(folder, config).finished:
        return  # nothing will be trained
    there = sum(file.stat().st_size for file in folder.glob("checkpoints/*.safetensors")) if config.resume else 0
    check_room(folder, _needed(config, num_classes) - there, "its checkpoints")


def _needed(config: Config, num_classes: int) -> int:
    try:
        with torch.device("meta"):  # shapes without memory
            net = network_of(config, num_classes, pretrained=False)
    except RuntimeError:  # a network from another package that looks at its weights while it is made
        return 0
    return 2 * checkpoint.size(net, momenta=2 if config.optimizer == "adamw" else 1) + checkpoint.size(net, momenta=0)
