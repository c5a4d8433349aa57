"""Time of a training step shared by several processes, by their number: python benchmarks/together.py --counts 1,2,4

FSC-Net on random pixels, the same batch for any number of processes, at the demo's size; on a CPU the processes divide its cores.
"""

import argparse
import json
import os
import sys
import time
from itertools import chain, count, islice
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from benchmarks.timing import spread, waiting
from fsclib.config import Config
from fsclib.data.records import INFRARED, VISIBLE
from fsclib.data.sampler import IdentitySampler
from fsclib.runs.assemble import network_of
from fsclib.system.device import device_of, precision_of
from fsclib.training.distributed import launch
from fsclib.training.distributed.rendezvous import joined
from fsclib.training.distributed.whole_batch import together
from fsclib.training.settings import settings_of
from fsclib.training.steps import training_steps

IMAGES = 16  # per identity and modality, enough for an epoch of many steps


def measure(options: argparse.Namespace) -> None:
    """Runs the steps in one of the processes; process 0 prints their times."""
    config = Config(
        dataset="demo", identities=options.identities, images=options.images, device=options.device, precision=options.precision
    )
    device, classes = device_of(config.device), 2 * options.identities
    labels, modalities = np.repeat(np.arange(classes), 2 * IMAGES), np.tile([VISIBLE, INFRARED], classes * IMAGES)
    sampler = IdentitySampler(labels, modalities, config.identities, config.images, config.seed)
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), config.height, config.width, 3), np.uint8)
    with joined(device) as processes:
        torch.manual_seed(0)
        net = network_of(config, classes, init=False).to(device, memory_format=torch.channels_last)
        shared = net if processes.count == 1 else together(net, processes.steps, whole_batch=True)
        settings = settings_of(config)
        optimizer = settings.optimization.build(net)
        rest = (pixels, np.arange(len(labels)), sampler)
        epochs = (
            training_steps(shared, optimizer, settings, *rest, epoch, precision_of(config.precision, device), processes)
            for epoch in count()
        )
        taken, wait, seconds = chain.from_iterable(epochs), waiting(device.type), []
        for _ in islice(taken, options.warm_up):
            pass
        for _ in range(options.steps):
            wait()
            start = time.perf_counter()
            next(taken)
            wait()
            seconds.append(time.perf_counter() - start)
        if processes.first:
            found = spread(seconds)
            print(json.dumps({"threads": torch.get_num_threads(), "median": found.median, "low": found.low, "high": found.high}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1,2,4", help="numbers of processes")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--identities", type=int, default=8, help="P, divided among the processes")
    parser.add_argument("--images", type=int, default=4, help="K")
    parser.add_argument("--steps", type=int, default=20, help="measured steps")
    parser.add_argument("--warm-up", type=int, default=3, help="steps before the measured ones")
    options = parser.parse_args()
    if launch.STARTED in os.environ:
        launch.end_with_the_starter()
        measure(options)
        return
    print("| processes | threads each | ms per step | images per second |\n|---|---|---|---|")
    for number in map(int, options.counts.split(",")):
        printed = []
        if failure := launch.together([sys.executable, __file__, *sys.argv[1:]], number, printed.append):
            sys.exit(failure)
        found = json.loads(printed[-1])
        images = 2 * options.identities * options.images
        times = f"{1000 * found['median']:.0f} ({1000 * found['low']:.0f}–{1000 * found['high']:.0f})"
        print(f"| {number} | {found['threads']} | {times} | {images / found['median']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
