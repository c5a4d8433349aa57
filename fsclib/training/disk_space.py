"""Checks that the disk has room for a training before images are decoded and hours are spent."""

import torch

from fsclib import runs
from fsclib.config import Config
from fsclib.runs import checkpoint
from fsclib.runs.assemble import network_of
from fsclib.system.disk_space import check_room


def check(config: Config, num_classes: int) -> None:
    """Refuses a training whose folder is not writable or whose checkpoints clearly do not fit. Errors: DiskError.

    A new checkpoint is written beside the one that it replaces, so there must be room for two with weights and momenta, plus the
    best weights.
    """
    folder = runs.folder_of(config)
    if config.resume and runs.Run(folder, config).finished:
        return  # nothing to train
    existing = sum(file.stat().st_size for file in folder.glob("checkpoints/*.safetensors")) if config.resume else 0
    check_room(folder, _needed(config, num_classes) - existing, "its checkpoints")


def _needed(config: Config, num_classes: int) -> int:
    try:
        with torch.device("meta"):  # shapes without memory
            net = network_of(config, num_classes, pretrained=False)
    except RuntimeError:  # a network from another package that reads its weights during construction
        return 0
    return 2 * checkpoint.size(net, momenta=2 if config.optimizer == "adamw" else 1) + checkpoint.size(net, momenta=0)
