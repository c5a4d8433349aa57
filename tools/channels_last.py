"""Compares memory layouts of weights and activations on this machine: seconds per training step, bfloat16.

    python tools/channels_last.py    # with nothing else running; one line per (network, image size)

The layouts alternate, so that changes of the machine's clock affect both. The step is that of the preset `tiny`.
"""

import itertools
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch

TURNS, STEPS = 5, 4  # medians over this many turns of this many steps each; an extra first turn is not counted


def steps(network: str, height: int, width: int, layout: torch.memory_format) -> Iterator[object]:
    """An endless sequence of training steps on random pixels."""
    from fsclib.config import Config
    from fsclib.data.records import INFRARED, VISIBLE
    from fsclib.data.sampler import IdentitySampler
    from fsclib.runs.assemble import network_of
    from fsclib.training.steps import build_optimizer, set_learning_rates, training_steps

    config = Config(dataset="llcm", scale="tiny", network=network, height=height, width=width, padding=5, small_epochs=0)
    labels = np.tile(np.repeat(np.arange(config.identities), config.images), 200)
    modalities = np.repeat([VISIBLE, INFRARED], len(labels) // 2)
    sampler = IdentitySampler(labels, modalities, config.identities, config.images, config.seed)
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), height, width, 3), np.uint8)
    torch.manual_seed(0)
    net = network_of(config, config.identities, pretrained=False).to(memory_format=layout)
    optimizer = build_optimizer(net, config)
    set_learning_rates(optimizer, config, 1, 0, sampler.steps)
    for epoch in itertools.count():
        yield from training_steps(net, optimizer, config, pixels, np.arange(len(labels)), sampler, epoch, torch.bfloat16)


def main() -> None:
    layouts = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
    for network, (height, width) in itertools.product(("twostream", "fsc"), ((128, 48), (192, 72))):
        running = {name: steps(network, height, width, layout) for name, layout in layouts.items()}
        seconds: dict[str, list[float]] = {name: [] for name in layouts}
        for turn, (name, one) in itertools.product(range(TURNS + 1), running.items()):
            for _ in range(STEPS):
                start = time.perf_counter()
                next(one)
                seconds[name] += [time.perf_counter() - start] if turn else []
        told = ", ".join(f"{name} {statistics.median(found):.3f} s" for name, found in seconds.items())
        print(f"{network} at {height}×{width}, {torch.get_num_threads()} threads: {told}", flush=True)


if __name__ == "__main__":
    main()
