"""Builds an index and extends it shard by shard, each written completely or not at all, with one shard in memory at a time.

A killed build resumes after the last complete shard when the same command is repeated. The searchable content changes atomically,
when index.json names the merged lists; until then a search finds what it found before.
"""

import contextlib
import dataclasses
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import from_numpy

from fsclib.config.strict import shown
from fsclib.retrieval.gallery import codes, manifest, reduction
from fsclib.retrieval.gallery.entries import Entries, Shards
from fsclib.retrieval.gallery.manifest import Manifest, Shard, reading
from fsclib.retrieval.gallery.options import IVFPQ, PER_LIST, IndexOptions, Origin, SearchError, library
from fsclib.system.disk_space import check_room, make_folder, writing
from fsclib.system.locks import holder, lock_beside, locked
from fsclib.system.opening import open_file
from fsclib.system.progress import progress
from fsclib.system.storage import remove_abandoned
from fsclib.system.tensor_files import write_tensors

logger = logging.getLogger(__name__)

SPREAD = 16  # minimum number of shards to sample from, if there are as many
USUAL = IndexOptions()


def build(
    folder: Path, shards: Shards, origin: Origin, options: IndexOptions = USUAL, queries: NDArray[np.float32] | None = None
) -> Manifest:
    """Builds an index of all shards in `folder`: a new one, or a continuation of the one that a killed build left there.

    queries (m, D): a sample of the expected queries, such as earlier ones; images of the other modality occupy another region of
    the space than the gallery. Without it the gallery stands in for the queries. It only affects the dimensionality reduction.
    Memory: a shard, a sample of 39 images for each list, and the lists' centres.
    Errors: SearchError for a folder that holds another index or is being written by another process, or if FAISS is needed but
    missing; ValueError for shards that cannot be used (see Entries.checked); DiskError.
    """
    if not len(shards):
        raise ValueError("shards: found none, expected one or more")
    dimension = np.shape(shards[0].vectors)[-1]
    settled = options.settled(shards.images, dimension)
    if settled.kind == IVFPQ:
        library()
    if queries is not None:
        queries = _query_sample(queries, dimension)
    make_folder(folder.parent)
    with _alone(folder):
        if (folder / manifest.FILE).exists():
            found = before = manifest.read(folder)
            # these two do not affect the built files
            searched = dataclasses.replace(found.options, probes=settled.probes, rerank=settled.rerank)
            found = dataclasses.replace(found, options=searched)
            _check(folder, found, dimension, origin, settled)
        else:
            check_room(folder, _needed(settled, shards.images), "the index and its codes")
            make_folder(folder)
            found = before = _begun(folder, shards, Manifest(dimension, origin, settled), queries)
        done = _filled(folder, found, shards, 0)
        if done == found != before:  # it was complete, and only the search options have changed
            done.write(folder)
        return done


def append(folder: Path, shards: Shards, origin: Origin) -> Manifest:
    """Adds shards to an index, or resumes an interrupted addition.

    Shards that were just added are not added again, but logged; they are recognised by their number of images
    and by the content of the first and the last shard. Nothing is retrained: if the new images differ from those that the index was
    trained on, or outnumber them many times, a new index has better recall.

    Errors: as in `build`; SearchError also for vectors of another dimension, network or weighting.
    """
    with _alone(folder):
        found = manifest.read(folder)
        if not len(shards):
            raise ValueError("shards: found none, expected one or more")
        _check(folder, found, np.shape(shards[0].vectors)[-1], origin, found.options)
        if found.merged == len(found.shards) and _are_last(folder, found, shards):
            logger.info(f"{folder.name}: these images were already added; nothing to do")
            return found
        check_room(folder, _needed(found.options, shards.images) + sum(found.lengths().values()), "the new images and merged lists")
        return _filled(folder, found, shards, found.merged)


def _begun(folder: Path, shards: Shards, begun: Manifest, queries: NDArray[np.float32] | None) -> Manifest:
    """Writes reduction and codebook, and returns the manifest of the still empty index."""
    options, seconds, start = begun.options, {}, time.perf_counter()
    sample = _sample(shards, begun.dimension, min(reduction.SAMPLE, shards.images))
    asked = _some(sample if queries is None else queries, reduction.SAMPLE // 4)
    found = reduction.fit(sample, asked, options.dimensions, options.code)
    reduction.write(folder / "reduction.safetensors", found)
    files = {"reduction.safetensors": manifest.digest(folder / "reduction.safetensors")}
    seconds["reduction"], start = time.perf_counter() - start, time.perf_counter()
    if options.kind == IVFPQ:
        number = min(max(options.lists * PER_LIST, reduction.SAMPLE), shards.images)
        sample = _sample(shards, begun.dimension, number, found)
        book = codes.train(sample, options)
        codes.write_codebook(folder / "codebook.safetensors", book)
        files["codebook.safetensors"] = manifest.digest(folder / "codebook.safetensors")
        seconds["training"] = time.perf_counter() - start
    begun = dataclasses.replace(begun, files=files, seconds=seconds)
    begun.write(folder)
    return begun


def _filled(folder: Path, found: Manifest, shards: Shards, before: int) -> Manifest:
    """Fills the index with `shards` after its first `before` shards; some may already be stored."""
    options, pending = found.options, found.shards[before:]
    if len(pending) > len(shards):
        raise SearchError(f"{folder} holds {len(pending)} shards, expected at most the {len(shards)} given; pass all of them")
    found.check_files(folder, hashes=False)
    _clean(folder, found)
    if pending and not _is_shard(folder, found, len(found.shards) - 1, shards[len(pending) - 1]):
        fix = "pass the same images again, or build an index of the new ones in another folder"
        raise SearchError(f"{folder} was filled with other images than those given, as shard {len(pending)} shows; {fix}")
    reduced_by, index = read_reduction(folder, found), None
    if options.kind == IVFPQ:
        with reading(folder / "codebook.safetensors"):
            index = codes.read_codebook(folder / "codebook.safetensors", options).index(options, "IndexFlatL2")
    with progress(len(shards), f"filling {folder.name}") as bar:
        bar.update(len(pending))
        for number in range(len(pending), len(shards)):
            start = time.perf_counter()
            shard = _put(folder, found, shards[number].checked(found.dimension), reduced_by, index)
            found = _timed(dataclasses.replace(found, shards=(*found.shards, shard)), "filling", start)
            found.write(folder)
            bar.update()
    return _merged(folder, found) if found.merged < len(found.shards) else found


def _put(folder: Path, found: Manifest, entries: Entries, reduced_by: reduction.Reduction, index: Any) -> Shard:
    """Writes the files of one more shard."""
    half, reduced = _kept(entries, reduced_by)
    labels = _labels(entries)
    for name, array in (("vectors.bin", half), ("labels.bin", labels)):
        _write_at(folder / name, found.stored * array[0].nbytes, array)
    hashed = ""
    if index is not None:
        file = folder / _codes(len(found.shards))
        write_tensors(file, {name: from_numpy(part) for name, part in codes.encode(index, reduced, found.stored).items()}, {})
        hashed = manifest.digest(file)
    return Shard(len(entries), entries.data, manifest.hash_of(half.data), manifest.hash_of(labels.data), hashed)


def read_reduction(folder: Path, found: Manifest) -> reduction.Reduction:
    """The reduction of an index. Errors: SearchError."""
    with reading(folder / "reduction.safetensors"):
        return reduction.read(folder / "reduction.safetensors", found.dimension, found.options.dimensions)


def _is_shard(folder: Path, found: Manifest, number: int, entries: Entries) -> bool:
    """Whether a shard of the index holds these images. Callers check one shard only: recomputing all would dominate the time."""
    entries, stored = entries.checked(found.dimension), found.shards[number]
    half, _ = _kept(entries, read_reduction(folder, found))
    return (manifest.hash_of(half.data), manifest.hash_of(_labels(entries).data)) == (stored.vectors, stored.labels)


def _are_last(folder: Path, found: Manifest, shards: Shards) -> bool:
    """Whether these shards are the last of an index."""
    first = len(found.shards) - len(shards)
    if first < 0 or sum(shard.count for shard in found.shards[first:]) != shards.images:
        return False
    return all(_is_shard(folder, found, first + number, shards[number]) for number in {0, len(shards) - 1})


def _labels(entries: Entries) -> NDArray[np.int32]:
    """Labels as stored: (N, 2)."""
    return np.stack([entries.identity, entries.camera], 1).astype(np.int32)


def _kept(entries: Entries, reduced_by: reduction.Reduction) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Reduced vectors (N, d) as stored, and before rounding."""
    reduced = reduced_by.images(entries.vectors)
    if (longest := np.abs(reduced).max()) > np.finfo(np.float16).max:
        fix = "embed them like those that it was trained on"
        raise ValueError(f"vectors: found some {longest:.1g} times as long as the index expects; {fix}")
    return reduced.astype(np.float16), reduced


def _merged(folder: Path, found: Manifest) -> Manifest:
    """Merges the pending shards, so that searches find them."""
    start, options = time.perf_counter(), found.options
    after = dataclasses.replace(found, merged=len(found.shards))
    if options.kind == IVFPQ:
        sizes = np.zeros(options.lists, np.int64)
        if found.merged:
            with reading(folder / found.sizes):
                before = read_sizes(folder, found)
            sizes += before
        for _, shard in _pending(folder, found):
            sizes += np.bincount(shard["list"], minlength=options.lists)

        def parts() -> Iterator:
            if found.merged:
                yield from codes.unmerge(folder / found.lists, before, options, found.count)
            yield from (shard for _, shard in _pending(folder, found))

        with reading(folder):
            codes.merge(folder / after.lists, parts(), sizes, options)
        write_tensors(folder / after.sizes, {"sizes": from_numpy(sizes)}, {})
        kept = {name: hashed for name, hashed in found.files.items() if name not in (found.lists, found.sizes)}
        files = kept | {name: manifest.digest(folder / name) for name in (after.lists, after.sizes)}
        after = dataclasses.replace(after, files=files)
    after = _timed(after, "merging", start)
    after.write(folder)
    _clean(folder, after)
    return after


def read_sizes(folder: Path, found: Manifest) -> NDArray[np.int64]:
    """Images in each list of a merged index. Errors: OSError, ValueError."""
    sizes = reduction.read_arrays(folder / found.sizes, {"sizes": (np.int64, (found.options.lists,))})["sizes"]
    if sizes.min() < 0 or sizes.max() > found.count or int(sizes.sum()) != found.count:
        raise ValueError(f"sizes: found lists of {int(sizes.sum())} images, expected {found.count}")
    return sizes


def _pending(folder: Path, found: Manifest) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Numbers and codes of the shards that are not yet merged, checked against their hashes."""
    first = found.count
    for number in range(found.merged, len(found.shards)):
        file, shard = folder / _codes(number), found.shards[number]
        with reading(file):
            if manifest.digest(file) != shard.codes:
                raise ValueError("its content differs from what was written")
            yield number, codes.read_codes(file, found.options, first, shard.count)
        first += shard.count


def _sample(shards: Shards, dimension: int, number: int, reduced_by: reduction.Reduction | None = None) -> NDArray[np.float32]:
    """A sample of `number` images, evenly spaced over evenly spaced shards, reduced or not: float32."""
    needed = -(-number * len(shards) // shards.images) + 1  # shards needed; the last may be small
    chosen = np.unique(np.linspace(0, len(shards) - 1, min(len(shards), max(SPREAD, needed))).astype(int))
    parts, spare, left = {}, {}, number

    def take(shard: int, wanted: int) -> int:
        vectors = shards[shard].checked(dimension).vectors
        part = _some(vectors, wanted)
        parts[shard], spare[shard] = part if reduced_by is None else reduced_by.images(part), len(vectors) - len(part)
        return len(part)

    for position, shard in enumerate(chosen):
        left -= take(shard, -(-left // (len(chosen) - position)))
    for shard in (*sorted(spare, key=spare.__getitem__, reverse=True), *range(len(shards))):  # top up where shards were too small
        if left and spare.get(shard, left):
            before = len(parts.get(shard, ()))
            left -= take(shard, before + left) - before
    return np.concatenate([parts[shard] for shard in sorted(parts)])


def _some(vectors: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """At most `number` rows, evenly spaced."""
    return vectors[np.linspace(0, len(vectors) - 1, min(number, len(vectors))).astype(int)]


def _query_sample(queries: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    queries = np.asarray(queries, np.float32)
    if queries.ndim != 2 or queries.shape[1] != dimension or not len(queries) or not np.isfinite(queries).all():
        raise ValueError(f"queries: found shape {queries.shape}, expected finite vectors of dimension {dimension}, one or more")
    return queries


def _check(folder: Path, found: Manifest, dimension: int, origin: Origin, options: IndexOptions) -> None:
    """Refuses vectors and options that do not match the index. Errors: SearchError."""
    stored = {"dimension": found.dimension, **dataclasses.asdict(found.origin), **dataclasses.asdict(found.options)}
    given = {"dimension": dimension, **dataclasses.asdict(origin), **dataclasses.asdict(options)}
    if other := [f"{name}: {stored[name]} in the index, {given[name]} given" for name in given if stored[name] != given[name]]:
        fix = "embed the images like those of the index, or build an index of them in another folder"
        raise SearchError(f"{folder} holds an index of other vectors or options ({'; '.join(other)}); {fix}")


def _needed(options: IndexOptions, images: int) -> int:
    """Peak bytes on disk, reached while codes are merged."""
    return images * (2 * options.dimensions + 8 + (options.kind == IVFPQ) * 2 * (options.code + 12))


def _write_at(file: Path, position: int, array: np.ndarray) -> None:
    with writing(file), open_file(file, "r+b" if file.exists() else "w+b") as handle:
        handle.truncate(position)  # drops leftovers of a killed process
        handle.seek(position)
        handle.write(array.data)
        handle.flush()
        os.fsync(handle.fileno())


def _codes(number: int) -> str:
    return f"codes-{number:05d}.safetensors"


def _timed(found: Manifest, part: str, start: float) -> Manifest:
    seconds = found.seconds.get(part, 0) + time.perf_counter() - start
    return dataclasses.replace(found, seconds={**found.seconds, part: seconds})


def _clean(folder: Path, found: Manifest) -> None:
    """Removes leftovers of a killed process and files that have been merged, but only those with names that this build has used."""
    remove_abandoned(folder)
    if found.options.kind == IVFPQ:
        shards = len(found.shards)
        merges = [dataclasses.replace(found, merged=number) for number in range(1, shards + 1)]
        used = {_codes(number) for number in (*range(found.merged), shards)}  # one more may have been written than was listed
        used |= {name for then in merges for name in (then.lists, then.sizes)} - found.files.keys()
        for file in folder.iterdir():
            if file.name in used:
                with contextlib.suppress(OSError):
                    file.unlink()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = lock_beside(folder)
    try:
        with locked(lock, None):
            yield
    except BlockingIOError:
        raise SearchError(f"{shown(str(folder))} is being written by {holder(lock)}; wait until it ends") from None
