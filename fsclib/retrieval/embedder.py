"""A trained network as a function from images to vectors, for use in other programs.

embedder = fsclib.load("people/fsc")
visible = embedder.embed(["a.jpg", "b.jpg"], "visible")      # (2, D)
infrared = embedder.embed(["c.png"], "infrared")             # (1, D)
similarity = infrared @ visible.T                            # cosines, (1, 2)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fsclib import runs
from fsclib.config.registry import expands
from fsclib.config.strict import shown
from fsclib.data.pixels.pictures import Picture, pixels_of
from fsclib.data.records import MODALITIES
from fsclib.models import weights
from fsclib.models.folding import folded
from fsclib.models.networks import Network, build_model
from fsclib.retrieval.evaluation import run_network
from fsclib.retrieval.features import views_of
from fsclib.system.device import device_of, precision_of


@dataclass(frozen=True, eq=False)
class Embedder:
    """A network that is ready to embed pictures of people, one person per picture.

    size: (height, width) that pictures are resized to.
    """

    net: Network
    size: tuple[int, int]
    device: torch.device
    precision: torch.dtype

    @torch.inference_mode()
    def embed(self, images: Sequence[Picture], modality: str, *, batch: int = 64, mirror: bool = True) -> NDArray[np.float32]:
        """Embeds pictures as vectors, (N, D) float32 of unit length, so that inner products are cosines.

        images: paths, PIL images, or arrays or tensors of uint8 (H, W, 3) of any size; modality: "visible" or "infrared"; mirror:
        whether to embed the mirror image as well, as every published test does.
        Errors: ValueError that lists every picture that cannot be used.
        """
        if modality not in MODALITIES:
            raise ValueError(f"modality: found {shown(modality)}, expected {' or '.join(MODALITIES)}")
        pixels = torch.from_numpy(pixels_of(images, *self.size))
        found = [self._vectors(part.to(self.device), modality, mirror) for part in pixels.split(batch)]
        return torch.cat(found).numpy() if found else np.zeros((0, 0), np.float32)

    def _vectors(self, pixels: Tensor, modality: str, mirror: bool) -> Tensor:
        pool, neck = (parts.sum(0) for parts in views_of(self.net, pixels, modality, self.precision, mirror))
        return F.normalize(torch.cat([pool, neck], 1), dim=1).cpu()


def load(source: str | Path, *, device: str = "auto", precision: str = "auto") -> Embedder:
    """Loads a trained network: by the name of one shipped with fsclib, such as "people/fsc", or from the folder of a finished run.

    Errors: ValueError for an unknown name, for weights that can only initialise a training, and for a folder that is not a run.
    """
    chosen = device_of(device)
    if str(source) in (*weights.names(), *weights.SHORT):
        net, size = _ours(str(source))
    elif (Path(source) / "config.json").exists():
        folder = Path(source).resolve()
        run = runs.load(folder.parent.name, folder.name, folder.parent.parent)
        net, size = run_network(run, torch.device("cpu")), (run.config.height, run.config.width)
    else:
        expected = f"one of {', '.join(weights.names())}, or the folder of a run with a config.json"
        raise ValueError(f"found {shown(str(source))}, expected {expected}")
    net = folded(net).to(chosen).to(memory_format=torch.channels_last).eval()
    return Embedder(net, size, chosen, precision_of(precision, chosen))


def _ours(name: str) -> tuple[Network, tuple[int, int]]:
    if weights.SHORT.get(name, name) == weights.TRUNK:
        others = ", ".join(other for other in weights.names() if other != weights.TRUNK)
        raise ValueError(f"{name} can only initialise a training, since it has no neck; load one of {others}")
    card = weights.card(name)
    own = {"modules": tuple(card["modules"]), "branches": card["branches"]} if expands(card["network"]) else {}
    net = build_model(card["network"], 1, stages=card["stages"], backbone=card["backbone"], **own)
    weights.start_from(net, weights.read(name))
    return net, tuple(card["image"])
