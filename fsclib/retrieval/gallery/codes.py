"""Lists of codes: an inverted file with product quantisation (Jégou et al., TPAMI 2011), trained and encoded by FAISS (Johnson et
al., 2019), kept in files that FAISS does not have to parse.

An image goes into the list whose centre c is nearest. Its code is the product quantisation of x − c: each of M parts becomes the
number, one byte, of the nearest of 256 values. A query's similarity to it is ⟨q, c⟩ + Σ over parts of ⟨q, value⟩, and the query
probes the lists with the largest ⟨q, c⟩. Images are assigned by distance and queries by inner product: since reduction.py gives all
directions of a query equal weight, the nearest centres minimise the errors of ⟨q, x⟩.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import from_numpy

from fsclib.retrieval.gallery.options import IndexOptions, library
from fsclib.retrieval.gallery.reduction import read_arrays
from fsclib.system.disk_space import can_map
from fsclib.system.reading import regular
from fsclib.system.storage import replacing, reserve
from fsclib.system.tensor_files import write_tensors

logger = logging.getLogger(__name__)

ROUNDS = 10  # of k-means: more rounds hardly move the centres of this many lists
PER_VALUE = 64  # images that k-means sees for each value of a code, so that it takes no longer than k-means for the lists


@dataclass(frozen=True, eq=False)
class Codebook:
    """The result of training: centres (L, d); values (M · 256 · d / M,), in the order of FAISS; float32."""

    centres: NDArray[np.float32]
    values: NDArray[np.float32]

    def index(self, options: IndexOptions, quantiser: str) -> Any:
        """An empty FAISS index of these centres, which assigns lists by "IndexFlatL2" (images) or "IndexFlatIP" (queries)."""
        faiss = library()
        lists = getattr(faiss, quantiser)(options.dimensions)
        lists.add(self.centres)
        index = _index(faiss, lists, options)
        faiss.copy_array_to_vector(self.values, index.pq.centroids)
        index.is_trained = True
        return index


def train(sample: NDArray[np.float32], options: IndexOptions) -> Codebook:
    """Trains centres and values on a sample (n, d) of reduced images; deterministic for a given sample."""
    faiss = library()
    lists = faiss.IndexFlatL2(options.dimensions)
    index = _index(faiss, lists, options)
    index.cp.spherical = False  # the centre's length is part of ⟨q, c⟩
    index.cp.niter, index.cp.min_points_per_centroid = ROUNDS, 1
    index.pq.cp.max_points_per_centroid, index.pq.cp.min_points_per_centroid = PER_VALUE, 1
    index.train(sample)
    return Codebook(lists.reconstruct_n(0, options.lists), faiss.vector_to_array(index.pq.centroids))


def write_codebook(file: Path, book: Codebook) -> None:
    write_tensors(file, {"centres": from_numpy(book.centres), "values": from_numpy(book.values)}, {})


def read_codebook(file: Path, options: IndexOptions) -> Codebook:
    """Reads a codebook. Errors: OSError, ValueError."""
    shapes = {"centres": (options.lists, options.dimensions), "values": (256 * options.dimensions,)}
    return Codebook(**read_arrays(file, {name: (np.float32, shape) for name, shape in shapes.items()}))


def encode(index: Any, reduced: NDArray[np.float32], first: int) -> dict[str, np.ndarray]:
    """Encodes images (n, d), numbered from `first`, as arrays for a shard's file: list (n,) int32, ascending, code (n, M) uint8,
    and image (n,) int64, the numbers."""
    faiss = library()
    nearest = np.ascontiguousarray(index.quantizer.search(reduced, 1)[1][:, 0])
    codes = np.empty((len(reduced), index.code_size), np.uint8)
    index.encode_vectors(len(reduced), *map(faiss.swig_ptr, (reduced, nearest, codes)))
    order = np.argsort(nearest, kind="stable")
    return {"list": nearest[order].astype(np.int32), "code": codes[order], "image": first + order}


def read_codes(file: Path, options: IndexOptions, first: int, count: int) -> dict[str, np.ndarray]:
    """Codes of a shard of `count` images from `first`. Errors: OSError, ValueError."""
    kinds: dict[str, tuple[type, tuple[int, ...]]]
    kinds = {"list": (np.int32, (count,)), "code": (np.uint8, (count, options.code)), "image": (np.int64, (count,))}
    found = read_arrays(file, kinds)
    places, images = found["list"], found["image"]
    if places.min() < 0 or places.max() >= options.lists or (np.diff(places) < 0).any():
        raise ValueError(f"list: expected ascending numbers below {options.lists}")
    if not np.array_equal(np.sort(images), first + np.arange(count)):
        raise ValueError(f"image: expected each number from {first} to {first + count - 1} once")
    return found


def merge(file: Path, shards: Iterator[Mapping[str, np.ndarray]], sizes: NDArray[np.int64], options: IndexOptions) -> None:
    """Writes the lists one by one, each with its codes and then its image numbers (int64), with one shard in memory at a time.

    sizes (L,): images of each list in all shards. The file is written through a memory map at scattered positions, or, if the file
    system cannot map files, assembled in memory.
    """
    code, total = options.code, int(sizes.sum())
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) * (code + 8)  # in bytes
    filled = np.zeros(len(sizes), np.int64)
    with replacing(file) as part:
        reserve(part, total * (code + 8))
        target = np.memmap(part, np.uint8, "r+") if can_map(part) else np.empty(total * (code + 8), np.uint8)
        for shard in shards:
            lists = shard["list"]
            present, first, number = np.unique(lists, return_index=True, return_counts=True)
            place = filled[lists] + np.arange(len(lists)) - np.repeat(first, number)  # within its list
            at = starts[lists] + place * code
            target[at[:, None] + np.arange(code)] = shard["code"]
            at = starts[lists] + sizes[lists] * code + place * 8
            target[at[:, None] + np.arange(8)] = shard["image"].astype("<i8").view(np.uint8).reshape(-1, 8)
            filled[present] += number
        if isinstance(target, np.memmap):
            target.flush()
        else:
            target.tofile(part)


def unmerge(file: Path, sizes: NDArray[np.int64], options: IndexOptions, images: int) -> Iterator[Mapping[str, np.ndarray]]:
    """Reads a merged file back, some lists at a time, in the form that `merge` takes."""
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    ends, step = np.cumsum(sizes), 1 << 18
    with regular(file).open("rb") as content:
        first = 0
        while first < len(sizes):
            last = max(first + 1, int(np.searchsorted(ends, (ends[first - 1] if first else 0) + step)))
            codes, places = [], []
            for number in sizes[first:last]:
                codes.append(np.frombuffer(content.read(int(number) * options.code), np.uint8).reshape(-1, options.code))
                places.append(np.frombuffer(content.read(int(number) * 8), "<i8"))
            before, until = ends[first] - sizes[first], ends[last - 1]
            image = np.concatenate(places)
            if len(image) and (image.min() < 0 or image.max() >= images):
                wrong = image.min() if image.min() < 0 else image.max()
                raise ValueError(f"found image number {wrong}, expected 0 to {images - 1}")
            yield {"list": numbers[before:until], "code": np.concatenate(codes), "image": image}
            first = last


def open_lists(index: Any, file: Path, sizes: NDArray[np.int64]) -> None:
    """Attaches a merged file of checked length to an index: memory-mapped, or read if the file system cannot map files."""
    faiss = library()
    number, code = len(sizes), index.code_size
    if can_map(file):
        lists = faiss.OnDiskInvertedLists(number, code, os.fspath(file))
        lists.read_only, lists.totsize = True, file.stat().st_size
        lists.prefetch_nthread = 0  # starting threads for each query would take longer than the fetch
        numbers = sizes.astype(np.uint64)  # kept in a variable: FAISS gets its address
        lists.set_all_lists_sizes(faiss.swig_ptr(numbers))
        lists.do_mmap()
    else:
        logger.warning(f"{file.parent} is on a file system that cannot map files; reading {file.name} into memory")
        lists = faiss.ArrayInvertedLists(number, code)
        content, at = np.fromfile(file, np.uint8), 0
        for place, size in enumerate(sizes.tolist()):
            codes, images = np.split(content[at : at + size * (code + 8)], [size * code])
            if size:
                images = images.copy().view(np.int64)  # aligned for int64
                lists.add_entries(place, size, faiss.swig_ptr(images), faiss.swig_ptr(codes))
            at += size * (code + 8)
    index.replace_invlists(lists, True)
    lists.this.disown()
    index.ntotal = int(sizes.sum())


def _index(faiss: Any, lists: Any, options: IndexOptions) -> Any:
    return faiss.IndexIVFPQ(lists, options.dimensions, options.lists, options.code, 8, faiss.METRIC_INNER_PRODUCT)
