"""A trained network as a function from images to vectors, for use in other programs.

embedder = fsclib.load("people/fsc")
visible = embedder.embed("photos/visible", "visible")        # a folder: (N, D)
infrared = embedder.embed(["c.png"], "infrared")             # paths: (1, D)
similarity = infrared @ visible.T                            # cosines, (1, N)
embedder.rank(infrared, visible, k=10).figure()
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fsclib.config.strict import shown
from fsclib.data.pixels.pictures import Picture, Pictures, listed, names_of, pixels_of, warn
from fsclib.data.protocols import DIRECTIONS
from fsclib.data.records import INFRARED, MODALITIES, VISIBLE
from fsclib.inference.embedder.embeddings import Embeddings, are_saved_in, read_embeddings
from fsclib.inference.embedder.ranked import RankedLists, ranked
from fsclib.models.base import Network
from fsclib.retrieval.features import views_of
from fsclib.system.progress import progress

THREADS = 4  # that decode; Pillow releases the GIL


@dataclass(frozen=True, eq=False)
class Embedder:
    """A network that is ready to embed pictures of people, one person per picture.

    size: (height, width) that pictures are resized to; digest: a hash of the weights, which tells embeddings of different networks
    apart.
    """

    net: Network
    size: tuple[int, int]
    device: torch.device
    precision: torch.dtype
    digest: str

    @torch.inference_mode()
    def embed(self, images: Pictures, modality: str, *, batch: int = 64, mirror: bool = True, show: bool = True) -> Embeddings:
        """Embeds pictures as vectors, (N, D) float32 of unit length, so that inner products are cosines.

        images: a folder, or paths, PIL images, or arrays or tensors of uint8 (H, W, 3) of any size; modality: "visible" or
        "infrared"; mirror: whether to embed the mirror image as well, as every published test does; show: a progress bar.
        Files that cannot be read are left out and logged with the reason: `names` of the result has the others.
        Errors: ValueError if none can be read, and for anything that is not a picture, before any file is read.
        """
        if modality not in MODALITIES:
            raise ValueError(f"modality: found {shown(modality)}, expected {' or '.join(MODALITIES)}")
        pictures, names = (found := listed(images)), names_of(found)
        vectors: list[Tensor] = []
        broken: dict[int, str] = {}
        bar = progress(len(pictures), f"embedding {modality} images", shown=show and len(pictures) > batch)
        with ThreadPoolExecutor(THREADS) as pool, bar:
            for start in range(0, len(pictures), batch):
                part = list(pool.map(partial(_decoded, size=self.size), pictures[start : start + batch]))
                broken |= {start + place: told for place, told in enumerate(part) if isinstance(told, str)}
                if pixels := [one for one in part if not isinstance(one, str)]:
                    vectors.append(self._vectors(torch.from_numpy(np.stack(pixels)).to(self.device), modality, mirror))
                bar.update(len(part))
        warn([(names[place], told) for place, told in broken.items()])
        if not vectors:
            tail = f", such as {names[0]}: {broken[0]}" if broken else ""
            raise ValueError(f"images: none of {len(pictures)} can be used{tail}")
        kept = [picture for place, picture in enumerate(pictures) if place not in broken]
        return Embeddings.of(torch.cat(vectors).numpy(), kept, modality, self.digest)

    def rank(
        self, queries: "Pictures | Embeddings", gallery: "Pictures | Embeddings", k: int = 10, *, direction: str = "ir2vis"
    ) -> RankedLists:
        """The k gallery pictures most similar to each query; nobody's identity needs to be known.

        queries, gallery: pictures as in `embed`, embeddings, or a folder of saved ones; direction: "ir2vis" for infrared queries
        and a visible gallery, or "vis2ir", where these are pictures. Errors: ValueError.
        """
        if direction not in DIRECTIONS:
            raise ValueError(f"direction: found {shown(direction)}, expected {' or '.join(DIRECTIONS)}")
        if type(k) is not int or k < 1:
            raise ValueError(f"k: found {shown(k)}, expected a whole number from 1")
        asked, searched = (INFRARED, VISIBLE) if direction == "ir2vis" else (VISIBLE, INFRARED)
        return ranked(self._known(queries, asked, "queries"), self._known(gallery, searched, "gallery"), k)

    def _known(self, given: "Pictures | Embeddings", modality: str, side: str) -> Embeddings:
        """Embeddings of one side of a search, made or read if need be."""
        found = given
        if are_saved_in(given):
            assert isinstance(given, (str, Path))
            found = read_embeddings(given)
        if not isinstance(found, Embeddings):
            return self.embed(found, modality)
        if found.network != self.digest:
            why = "has lost the names of its pictures" if not found.network else "was made by another network"
            raise ValueError(f"{side}: {why}, so nothing can be compared; embed the pictures with this network")
        return found

    def _vectors(self, pixels: Tensor, modality: str, mirror: bool) -> Tensor:
        pool, neck = (parts.sum(0) for parts in views_of(self.net, pixels, modality, self.precision, mirror))
        return F.normalize(torch.cat([pool, neck], 1), dim=1).cpu()


def _decoded(picture: Picture, size: tuple[int, int]) -> np.ndarray | str:
    """The pixels of a picture, or why it cannot be used."""
    try:
        return pixels_of(picture, *size)
    except ValueError as error:
        return str(error)
