"""Small galleries for the search tests: stand-ins for real embeddings, crowds around them, and a brute-force search."""

import numpy as np

from fsclib import metrics
from fsclib.analysis.gallery_search.crowd import around
from fsclib.retrieval.gallery.entries import Entries
from fsclib.retrieval.gallery.options import Origin

ORIGIN = Origin("0123456789abcdef" * 2)


def real(people=12, cameras=3, shots=3, dimension=40, seed=0):
    """Made-up embeddings of people in visible and infrared cameras, and their modalities."""
    rng = np.random.default_rng(seed)
    modality, identity, camera = (
        part.ravel() for part in np.meshgrid([0, 1], np.arange(people), np.arange(1, cameras + 1), indexing="ij")
    )
    modality, identity, camera = (np.repeat(part, shots) for part in (modality, identity, camera))
    falling = (1 / np.arange(1, dimension + 1) ** 0.5).astype(np.float32)

    def drawn(number, scale):
        return scale * rng.standard_normal((number, dimension)).astype(np.float32) * falling

    vectors = drawn(2, 1.5)[modality] + drawn(people, 1)[identity] + drawn(2 * people * cameras, 0.7).repeat(shots, 0)
    vectors += drawn(len(identity), 0.4)
    return Entries(vectors, identity, camera, "made"), np.where(modality == 0, "visible", "infrared")


def crowd(images=3000, seed=0, **sizes):
    return around(*real(**sizes), images, seed)


def some(number, dimension=24, people=20, cameras=4, seed=0):
    """Random entries without structure."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((number, dimension)).astype(np.float32)
    return Entries(vectors, rng.integers(people, size=number), rng.integers(1, cameras + 1, size=number), "some")


def plain(gallery, images, queries, scoring="regdb", cameras=()):
    """Similarities (Q, N) of queries to the stored vectors, −inf where the protocol or `cameras` excludes an image."""
    reduced, added = gallery.reduction.queries(queries.vectors)
    similarity = reduced @ np.asarray(gallery.vectors, np.float32).T + added[:, None]
    unseen = metrics.hidden(queries.identity, images.identity, queries.camera, images.camera, scoring)
    if cameras:
        unseen = unseen | ~np.isin(images.camera, cameras)
    return np.where(unseen, -np.inf, similarity)


def ranked(similarity, k):
    """Indices (Q, k) of the k nearest, −1 where there are fewer."""
    order = np.argsort(-similarity, 1, kind="stable")[:, :k]
    return np.where(np.take_along_axis(similarity, order, 1) > -np.inf, order, -1)


def files(folder):
    """The contents of the files of an index, without the times in index.json."""
    found = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    found["index.json"] = found["index.json"].split(b'"seconds"')[0]
    return found
