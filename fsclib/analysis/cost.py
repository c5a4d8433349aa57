"""The cost of a network: parameters, multiply-adds, time per image, memory of a training step.

parameters     All trained ones except the classifier: the field excludes it, since its size depends on the data set and no test
               uses it. If there are two stems, both count, although an image passes only one of them.
multiply-adds  For embedding one image at the configuration's own size: convolutions and matrix products only, without bias,
               normalisation, activations, pooling and Fourier transforms, as in torch.utils.flop_counter, which counts each as two.
milliseconds   Per image: the median over embedded batches, with images already on the device, no mirror images, after a warm-up.
megabytes      10⁶ bytes: the peak of a training step with the configuration's batch above the idle process, including weights,
               momentum and augmentation. On a GPU, memory allocated by torch; on a CPU, resident memory, on Linux without
               file-mapped memory, which is torch's own code, loaded piecemeal; macOS includes it. On a CPU repeated measurements
               vary by about ±5 %, depending on when threads free their memory, so smaller differences are meaningless.

The peak memory is only known for a whole process, so each network is measured in a new one.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from itertools import islice
from multiprocessing import get_context
from typing import Any

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from fsclib.config import Config
from fsclib.data.records import VISIBLE
from fsclib.models.base import Network
from fsclib.runs.assemble import network_of
from fsclib.system import children
from fsclib.system.device import autocast, device_of, name_of, peak_memory, precision_of
from fsclib.system.progress import progress
from fsclib.training.dry_run import dry_steps, random_pixels
from fsclib.training.settings import settings_of

BATCH = 64  # images, as in a test
WARM_UP = 2  # batches: the first ones set up kernels and memory
FEWEST, SECONDS = 5, 1.0  # minimum number of batches for the median, and their minimum total time
# Forked from a process that has only done the imports, which take longer than measuring a small network. It holds 0.4 GB and ends
# with this Python process. macOS must not fork: its system libraries break.
START = "forkserver" if sys.platform == "linux" else "spawn"


@dataclass(frozen=True)
class Cost:
    """The cost of a network and the conditions of the measurement; the module docstring explains each figure."""

    parameters: int
    multiply_adds: int
    milliseconds: float
    megabytes: float
    device: str
    precision: str
    threads: int


def measure(config: Config, num_classes: int) -> Cost:
    """Measures the cost of a configuration's network, trained on `num_classes` identities, in a separate process.

    The process has the same number of threads as this one. Other programs on the machine slow it down: measure on an idle machine.
    Errors: ValueError for a missing device, or for fewer classes than a step has identities; RuntimeError if the process dies.
    """
    return _measured({config.network: config}, num_classes)[0]


def table(configs: Mapping[str, Config], num_classes: int) -> pd.DataFrame:
    """Measures each configuration in turn: column variant, the mapping's keys, then the fields of Cost.

    Errors: as in `measure`, for all configurations at once and before any measurement.
    """
    costs = _measured(configs, num_classes)
    columns = ["variant", *Cost.__dataclass_fields__]
    return pd.DataFrame([{"variant": name} | asdict(cost) for name, cost in zip(configs, costs, strict=True)], columns=columns)


def parameters(net: Network) -> int:
    """The number of trained parameters of a network, without its classifier."""
    left_out = {id(parameter) for parameter in net.classifier.parameters()}
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad and id(parameter) not in left_out)


def multiply_adds(work: Callable[[], Any]) -> int:
    """Multiply-adds of the convolutions and matrix products that `work` executes, on any device, including "meta"."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


def _measured(configs: Mapping[str, Config], num_classes: int) -> list[Cost]:
    problems = []
    for name, config in configs.items():
        try:
            device_of(config.device)
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
            with ProcessPoolExecutor(1, mp_context=context, initializer=children.end_with_parent) as pool:
                costs.append(pool.submit(_measure, config, num_classes, torch.get_num_threads()).result())
        except BrokenProcessPool as error:
            advice = "it may have run out of memory; in a script, put the main part under `if __name__ == '__main__':`"
            raise RuntimeError(f"the process that measures {name} has died: {advice}") from error
    return costs


def _measure(config: Config, num_classes: int, threads: int) -> Cost:
    torch.set_num_threads(threads)
    # constructed again: loads extensions and refuses a network unknown to this process; steps use the full image size
    config = replace(config, epochs=max(1, config.epochs), small_epochs=0)
    device = device_of(config.device)
    precision = precision_of(config.precision, device)
    idle = peak_memory(device)  # before there is a network
    net = network_of(config, num_classes, init=False).to(device)
    pixels = random_pixels(2 * config.identities * config.images, config.height, config.width)
    for _ in islice(dry_steps(net, settings_of(config), pixels, config.identities, precision), 2):
        pass  # the first step allocates the momentum, the second one includes it
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


def _seconds(work: Callable[[], Any], device: torch.device, precision: torch.dtype) -> float:
    """The median time of `work` over repeated runs, in seconds."""
    seconds: list[float] = []
    with torch.inference_mode(), autocast(device, precision):
        while len(seconds) < WARM_UP + FEWEST or sum(seconds[WARM_UP:]) < SECONDS:
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[WARM_UP:])
