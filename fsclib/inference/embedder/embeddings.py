"""Vectors of pictures with the names of the pictures, and a folder to keep both in.

vectors.npy    (N, D) float32
pictures.csv   name, one line for each vector
card.json      modality, and the network that made the vectors; written last
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fsclib.data.pixels.pictures import Picture, names_of
from fsclib.system.disk_space import make_folder
from fsclib.system.reading import read_json, read_text
from fsclib.system.storage import replacing, write_text

VECTORS, NAMES, CARD = "vectors.npy", "pictures.csv", "card.json"


class Embeddings(np.ndarray):
    """(N, D) float32 of unit length, which is also an array in every other respect.

    pictures: those that could be embedded, one per row; names: their paths or numbers; modality; network: a hash of the weights
    that made the vectors. Slices and results of arithmetic have none of these.
    """

    pictures: Sequence[Picture] = ()
    names: Sequence[str] = ()
    modality: str = ""
    network: str = ""

    @classmethod
    def of(cls, vectors: NDArray[np.float32], pictures: Sequence[Picture], modality: str, network: str) -> "Embeddings":
        """Vectors with the pictures that they belong to."""
        found = np.ascontiguousarray(vectors, np.float32).view(cls)
        found.pictures, found.names, found.modality, found.network = pictures, names_of(pictures), modality, network
        return found

    def save(self, folder: str | Path) -> Path:
        """Writes vectors and names into a folder, for `read_embeddings`; returns the folder. ValueError for a slice."""
        if len(self.names) != len(self):
            raise ValueError(f"found {len(self.names)} names for {len(self)} vectors; save what embed returned, before slicing it")
        folder = Path(folder).expanduser()
        make_folder(folder)
        with replacing(folder / VECTORS) as part, part.open("wb") as file:
            np.save(file, np.asarray(self), allow_pickle=False)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([["name"], *([name] for name in self.names)])
        write_text(folder / NAMES, text.getvalue(), errors="surrogateescape")
        card = {"modality": self.modality, "network": self.network, "images": len(self), "dimension": self.shape[1]}
        write_text(folder / CARD, json.dumps(card, indent=1) + "\n")
        return folder


def are_saved_in(place: Any) -> bool:
    """Whether a path is a folder of saved embeddings."""
    return isinstance(place, (str, Path)) and (Path(place).expanduser() / CARD).is_file()


def read_embeddings(folder: str | Path) -> Embeddings:
    """Embeddings saved in a folder. ValueError if it is not such a folder, or its files do not belong together."""
    folder = Path(folder).expanduser()
    try:
        card = read_json(folder / CARD)
        vectors = np.load(folder / VECTORS, allow_pickle=False)
        _, *lines = csv.reader(io.StringIO(read_text(folder / NAMES), newline=""))
        names, modality, network = [name for (name,) in lines], str(card["modality"]), str(card["network"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder}: no saved embeddings ({error}); save what Embedder.embed returns there") from error
    if vectors.dtype != np.float32 or vectors.shape != (len(names), card.get("dimension")):
        found = f"found {vectors.dtype} {vectors.shape}, expected float32 ({len(names)}, {card.get('dimension')})"
        raise ValueError(f"{folder / VECTORS}: {found}; embed the pictures again")
    return Embeddings.of(vectors, names, modality, network)
