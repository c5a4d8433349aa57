"""Takes a few training steps, in one process or in several, and saves the weights."""

from itertools import chain, islice

import numpy as np
import torch
from conftest import TINY
from safetensors.torch import save_file
from torch import nn

from fsclib.config import Config
from fsclib.data.records import INFRARED, VISIBLE
from fsclib.data.sampler import IdentitySampler
from fsclib.models.fsc import DropPath
from fsclib.models.networks import build_model
from fsclib.training import steps
from fsclib.training.distributed.rendezvous import joined
from fsclib.training.distributed.whole_batch import together
from fsclib.training.settings import settings_of

CLASSES, IMAGES = 10, 6  # people, images of each in each modality


def data(config):
    """Labels, modalities and random pixels of a training set."""
    labels, modalities = np.repeat(np.arange(CLASSES), 2 * IMAGES), np.tile([VISIBLE, INFRARED], CLASSES * IMAGES)
    return labels, modalities, np.random.default_rng(0).integers(0, 256, (len(labels), config.height, config.width, 3), np.uint8)


def quiet(net):
    """The network without dropout and drop-path, which differ between processes."""
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        if isinstance(part, DropPath):
            part.rate = 0.0
    return net


def in_double(batches):
    """Batches whose images are float64."""
    return lambda *args: ((visible.double(), infrared.double(), labels) for visible, infrared, labels in batches(*args))


def take(out, precision="float32", number=5, loud=False, layout="channels_last", **values):
    """precision: also "float64"; loud: no block starts as the identity, which would hide errors in what it adds."""
    config = Config(**TINY | {"dataset": "llcm", "identities": 8} | values)
    labels, modalities, pixels = data(config)
    if precision == "float64":
        steps.batches = in_double(steps.batches)
    with joined(torch.device("cpu")) as processes:
        per_step = processes.count if config.batch == "per-process" else 1
        sampler = IdentitySampler(labels, modalities, config.identities, config.images, config.seed, per_step)
        torch.manual_seed(1)
        net = quiet(build_model(config.network, CLASSES, stages=config.stages, backbone="resnet18-half"))
        for part in net.modules() if loud else ():
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.weight, 0.5, 1.0)
        net = net.to(torch.float64 if precision == "float64" else torch.float32, memory_format=getattr(torch, layout))
        shared = net if processes.count == 1 else together(net, processes.steps, whole_batch=config.batch == "global")
        settings = settings_of(config)
        optimizer = settings.optimization.build(net)
        settings.optimization.set_rates(optimizer, 1)
        arithmetic = torch.bfloat16 if precision == "bfloat16" else torch.float32
        epochs = (
            steps.training_steps(shared, optimizer, settings, pixels, np.arange(len(labels)), sampler, epoch, arithmetic, processes)
            for epoch in range(number)
        )
        losses = torch.stack([torch.stack(parts) for parts in islice(chain.from_iterable(epochs), number)])
        kept = {name: value.contiguous() for name, value in net.state_dict().items()} | {"losses": losses}
        save_file(kept, f"{out}-{processes.index}-of-{processes.count}.safetensors")
