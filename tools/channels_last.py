"""Compares memory layouts of weights and activations on this machine: seconds per training step, bfloat16.

    python tools/channels_last.py    # with nothing else running; one line per (network, image size)

The layouts alternate, so that changes of the machine's clock affect both. The step is that of the preset `tiny`.
"""

import itertools
import statistics
import time
from collections.abc import Iterator

import torch

TURNS, STEPS = 5, 4  # medians over this many turns of this many steps each, after an uncounted turn


def steps(network: str, height: int, width: int, layout: torch.memory_format) -> Iterator[object]:
    """Endless training steps of a network in a memory layout."""
    from fsclib.config import Config
    from fsclib.runs.assemble import network_of
    from fsclib.training.dry_run import dry_steps, random_pixels
    from fsclib.training.settings import settings_of

    config = Config(dataset="llcm", scale="tiny", network=network, height=height, width=width, padding=5, small_epochs=0)
    pixels = random_pixels(2 * config.identities * config.images, height, width)
    torch.manual_seed(0)
    net = network_of(config, config.identities, init=False)
    return dry_steps(net, settings_of(config), pixels, config.identities, torch.bfloat16, layout)


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
        times = ", ".join(f"{name} {statistics.median(found):.3f} s" for name, found in seconds.items())
        print(f"{network} at {height}×{width}, {torch.get_num_threads()} threads: {times}", flush=True)


if __name__ == "__main__":
    main()
