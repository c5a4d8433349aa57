"""A training step of FSC-Net, and embedding images with it.

fsclib's step is that of its training, from pixels in memory to new weights. The plain side gets augmented images on the device,
since the published programs augment in other processes, and uses float32 throughout, as they do.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.case import Case, Setting, Work
from benchmarks.plain import data, training
from benchmarks.plain.network import PlainFSCNet
from fsclib.config import Config
from fsclib.config.specs import LLCM
from fsclib.data.images import Images
from fsclib.data.records import VISIBLE, Dataset, table
from fsclib.models.base import Network
from fsclib.models.folding import folded
from fsclib.retrieval.features import embed
from fsclib.runs.assemble import network_of
from fsclib.training.dry_run import dry_steps, random_pixels
from fsclib.training.settings import settings_of


def of_a_step(setting: Setting) -> np.ndarray:
    """Pixels of P·K visible images, then of as many infrared ones, grouped by identity."""
    s = setting.sizes
    return random_pixels(2 * s.identities * s.images, s.height, s.width)


def labels_of(setting: Setting) -> np.ndarray:
    """Identities of the images of `of_a_step`, (2·P·K,)."""
    return np.tile(np.repeat(np.arange(setting.sizes.identities), setting.sizes.images), 2)


def prepared(pixels: np.ndarray, setting: Setting) -> torch.Tensor:
    """Augmented images on the device, float32 (N, 3, H, W)."""
    augment = data.augmentation(setting.sizes.height, setting.sizes.width)
    return data.batch(pixels, np.arange(len(pixels)), augment).to(setting.device)


def configuration(setting: Setting, precision: str = "float32") -> Config:
    """The published recipe at the benchmark's sizes."""
    s = setting.sizes
    sizes = {"height": s.height, "width": s.width, "identities": s.identities, "images": s.images}
    return Config(dataset="llcm", init="none", device=setting.device, precision=precision, **sizes)


def network(setting: Setting, config: Config) -> Network:
    """FSC-Net in the memory layout of training and of evaluation.run_network."""
    torch.manual_seed(0)
    net = network_of(config, setting.sizes.classes, init=False)
    return net.to(setting.device, memory_format=torch.channels_last)


def plain_step(setting: Setting, pixels: np.ndarray) -> Work:
    torch.manual_seed(0)
    net = PlainFSCNet(setting.sizes.classes).to(setting.device).train()
    visible, infrared = prepared(pixels, setting).chunk(2)
    labels = torch.from_numpy(labels_of(setting)).to(setting.device)
    return partial(training.step, net, training.optimizer(net), visible, infrared, labels)


def step(setting: Setting, pixels: np.ndarray, precision: str) -> Work:
    config = configuration(setting, precision)
    net, arithmetic = network(setting, config), getattr(torch, precision)
    return partial(next, dry_steps(net, settings_of(config), pixels, config.identities, arithmetic))


def plain_embedding(setting: Setting, pixels: np.ndarray) -> Work:
    torch.manual_seed(0)
    net = PlainFSCNet(setting.sizes.classes).to(setting.device).eval()
    images = prepared(pixels, setting)

    @torch.no_grad()
    def work() -> list[torch.Tensor]:
        return [F.normalize(part).cpu() for part in net.embed(images)]

    return work


def embedding(setting: Setting, pixels: np.ndarray, precision: str) -> Work:
    net = folded(network(setting, configuration(setting)))
    number = len(pixels)
    records = table([(str(row), row, 1, VISIBLE, "test") for row in range(number)])
    images = Images(Dataset("benchmark", LLCM, Path(), records), pixels, np.arange(number), "", "")
    arithmetic, options = getattr(torch, precision), {"mirror": False, "batch": number, "show": False}
    return partial(embed, net, images, np.arange(number), torch.device(setting.device), arithmetic, **options)


def _size_of_step(setting: Setting, pixels: np.ndarray) -> str:
    half = len(pixels) // 2
    return f"{half} + {half} images of {setting.sizes.height}×{setting.sizes.width}"


def _case(title: str, precision: str, size: Callable, inputs: Callable, plain: Callable, fsclib: Callable) -> Case:
    fast = partial(fsclib, precision=precision)
    return Case(f"{title}, {precision}", size, inputs, plain, fast, lambda setting, pixels: len(pixels), precision)


CASES = {
    f"train-{precision}": _case("training step", precision, _size_of_step, of_a_step, plain_step, step)
    for precision in ("float32", "bfloat16")
} | {
    f"embed-{precision}": _case(
        "embedding",
        precision,
        lambda setting, pixels: f"{len(pixels)} images of {setting.sizes.height}×{setting.sizes.width}",
        lambda setting: random_pixels(setting.sizes.embedded, setting.sizes.height, setting.sizes.width),
        plain_embedding,
        embedding,
    )
    for precision in ("float32", "bfloat16")
}
