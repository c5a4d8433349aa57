"""What a network costs: parameters, multiply-adds, time per image, memory of a training step.

parameters     All that are trained, but for the classifier: the field leaves it out, since the data set decides its size and no
               test uses it. Both stems count, although an image passes one of them.
multiply-adds  Of embedding one image at the configuration's own size: of convolutions and matrix products, bias, normalisation,
               activations, pooling and Fourier transforms not counted, as in torch.utils.flop_counter, which counts two for each.
milliseconds   Per image: the median over embedded batches, images already on the device, no mirror images, after a warm-up.
megabytes      10⁶ bytes: the most that a training step of the configuration's batch needs above the idle process, weights, momentum
               and augmentation included. On a GPU what torch allocates; on a processor resident memory, on Linux without what is
               mapped from files: torch's own code, which is loaded piecemeal; macOS counts that in. On a processor repeats differ
               by some 5 % either way, depending on when threads free what they hold: smaller differences mean nothing.

Memory has a peak only for the whole life of a process, so every network is measured in a new one.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fsclib import train
from fsclib.assemble import network_of
from fsclib.config import Config
from fsclib.data.records import INFRARED, VISIBLE
from fsclib.data.sampler import IdentitySampler
from fsclib.machine import autocast, device_of, name_of, peak_memory, precision_of
from fsclib.progress import progress

BATCH = 64  # images, as a test embeds them
WARM_UP = 2  # batches: the first one sets up kernels and memory
FEWEST, SECONDS = 5, 1.0  # batches that a median needs, and how long they shall take together at least
# Forked from a process that has done nothing but import, which takes longer than a small network's measurement. It holds 0.4 GB and
# ends with this Python. macOS must not fork: its own libraries break.
START = "forkserver" if sys.platform == "linux" else "spawn"


@dataclass(frozen=True)
class Cost:
    """What a network costs, and what that was measured on; see the head of this module for the meaning of each figure."""

    parameters: int
    multiply_adds: int
    milliseconds: float
    megabytes: float
    device: str
    precision: str
    threads: int


def measure(config: Config, num_classes: int) -> Cost:
    """The cost of a configuration's network, trained on `num_classes` identities, measured in a process of its own.

    It has this process's number of threads. What else runs on the machine slows it: measure when nothing does.
    Errors: ValueError for a device that is not there, or for fewer classes than a step has identities; RuntimeError if the
    process dies.
    """
    return _measured({config.network: config}, num_classes)[0]


def table(configs: Mapping[str, Config], num_classes: int) -> pd.DataFrame:
    """The cost of each configuration, one after the other: column variant, the mapping's keys, then the fields of Cost.

    Errors: as in `measure`, for all configurations at once and before anything is measured.
    """
    costs = _measured(configs, num_classes)
    columns = ["variant", *Cost.__dataclass_fields__]
    return pd.DataFrame([{"variant": name} | asdict(cost) for name, cost in zip(configs, costs, strict=True)], columns=columns)


def parameters(net: nn.Module) -> int:
    """How many numbers of a network are trained, its classifier's apart."""
    left_out = {id(parameter) for parameter in net.classifier.parameters()}
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad and id(parameter) not in left_out)


def multiply_adds(work: Callable[[], Any]) -> int:
    """Multiply-adds of the convolutions and matrix products that `work` calls for, on any device, "meta" too."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


def _measured(configs: Mapping[str, Config], num_classes: int) -> list[Cost]:
    problems = []
    for name, config in configs.items():
        try:
            device_of(config)
        except ValueError as error:
            problems.append(f"{name}: {error}")
        if num_classes < config.identities:
            found = f"num_classes: found {num_classes}, expected at least {config.identities}, the identities of a step"
            problems.append(f"{name}: {found}; pass the number of training identities")
    if problems:
        raise ValueError("\n".join(problems))
    context = get_context(START)
    if START == "forkserver":
        context.set_forkserver_preload([__name__])
    costs = []
    for name, config in progress(configs.items(), "measuring networks", shown=len(configs) > 1):
        try:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                costs.append(pool.submit(_measure, config, num_classes, torch.get_num_threads()).result())
        except BrokenProcessPool as error:
            advice = "it may have run out of memory; a script needs its main part under `if __name__ == '__main__':`"
            raise RuntimeError(f"the process that measures {name} has died: {advice}") from error
    return costs


def _measure(config: Config, num_classes: int, threads: int) -> Cost:
    torch.set_num_threads(threads)
    # constructed anew: extensions are loaded, and a network unknown to this process is refused; steps are of the full image size
    config = replace(config, epochs=max(1, config.epochs), small_epochs=0)
    device = device_of(config)
    precision = precision_of(config, device)
    idle = peak_memory(device)  # before there is a network
    net = network_of(config, num_classes, pretrained=False).to(device, memory_format=torch.channels_last)
    _train(net, config, precision)
    megabytes = (peak_memory(device) - idle) / 1e6
    net.eval()
    images = torch.randn(BATCH, 3, config.height, config.width, device=device).contiguous(memory_format=torch.channels_last)
    milliseconds = 1000 * _seconds(lambda: net.embed(images, VISIBLE), device, precision) / BATCH
    return Cost(
        parameters=parameters(net),
        multiply_adds=multiply_adds(lambda: net.embed(images[:1], VISIBLE)),
        milliseconds=milliseconds,
        megabytes=megabytes,
        device=name_of(device),
        precision=str(precision).removeprefix("torch."),
        threads=threads,
    )


def _train(net: nn.Module, config: Config, precision: torch.dtype) -> None:
    """An epoch of two steps on random pixels: the momentum, which the first one brings, counts in the second."""
    labels = np.tile(np.repeat(np.arange(config.identities), config.images), 2)
    modalities = np.repeat([VISIBLE, INFRARED], len(labels) // 2)
    sampler = IdentitySampler(labels, modalities, config.identities, config.images, config.seed)
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), config.height, config.width, 3), np.uint8)
    optimizer = train.build_optimizer(net, config)
    for _ in train.training_steps(net, optimizer, config, pixels, np.arange(len(labels)), sampler, 0, precision):
        pass


def _seconds(work: Callable[[], Any], device: torch.device, precision: torch.dtype) -> float:
    """The median time of `work`, run again and again."""
    seconds: list[float] = []
    with torch.inference_mode(), autocast(device, precision):
        while len(seconds) < WARM_UP + FEWEST or sum(seconds[WARM_UP:]) < SECONDS:
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[WARM_UP:])
