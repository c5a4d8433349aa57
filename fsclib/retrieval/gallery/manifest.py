"""index.json: the options and content of an index, and the hashes of its files.

    index.json               written atomically after each step; files it does not list are leftovers of a killed process
    reduction.safetensors    from the network's dimension to that of the index
    vectors.bin              float16 (N, d), shards concatenated
    labels.bin               int32 (N, 2), identity and camera
    codebook.safetensors     IVF-PQ only: the centres of the lists and the values of the codes
    codes-00000.safetensors  IVF-PQ only: codes of a shard, until they are merged
    lists-00000.bin          IVF-PQ only: merged codes, list by list; the number counts the merged shards
    sizes-00000.safetensors  IVF-PQ only: images in each list

A folder may come from an untrusted source. index.json is checked entry by entry; every other file holds either raw numbers, of a
length that index.json implies, or safetensors of shapes that it implies, and every number from them is checked before it is used as
a position. FAISS's own reader, which trusts its input, never opens a file. The hashes reveal truncated, swapped or damaged files.
They do not authenticate the folder: anyone who can change a file can also rewrite its hash, and so decide what a search finds.
"""

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fsclib.config.strict import AUTO, ConfigError, shown
from fsclib.retrieval.gallery.entries import DATA
from fsclib.retrieval.gallery.options import HASH, IVFPQ, IndexOptions, Origin, SearchError
from fsclib.system.disk_space import DiskError
from fsclib.system.reading import read_json, regular
from fsclib.system.storage import write_text

FORMAT = 1
FILE = "index.json"
LARGEST = 1 << 40  # images
FIX = "restore the folder from its source, or delete it and build the index again"
PARTS = ("reduction", "training", "filling", "merging")  # of the build time
CHUNK = 1 << 24  # bytes hashed at a time


@dataclass(frozen=True)
class Shard:
    """Images added together: their number, their data set, and the hashes of their vectors, labels and codes ("" if exact)."""

    count: int
    data: str
    vectors: str
    labels: str
    codes: str


@dataclass(frozen=True)
class Manifest:
    """The content of index.json. merged: number of searchable shards; files: hashes of other files by name; seconds: by PARTS."""

    dimension: int
    origin: Origin
    options: IndexOptions
    shards: tuple[Shard, ...] = ()
    merged: int = 0
    files: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of searchable images."""
        return sum(shard.count for shard in self.shards[: self.merged])

    @property
    def stored(self) -> int:
        """Number of images with stored vectors."""
        return sum(shard.count for shard in self.shards)

    @property
    def lists(self) -> str:
        return f"lists-{self.merged:05d}.bin"

    @property
    def sizes(self) -> str:
        return f"sizes-{self.merged:05d}.safetensors"

    def write(self, folder: Path) -> None:
        write_text(folder / FILE, json.dumps({"format": FORMAT} | dataclasses.asdict(self), indent=1) + "\n")

    def lengths(self) -> dict[str, int]:
        """Bytes of the raw files."""
        found = {"vectors.bin": 2 * self.options.dimensions * self.stored, "labels.bin": 8 * self.stored} if self.shards else {}
        if self.options.kind == IVFPQ and self.merged:
            found[self.lists] = (self.options.code + 8) * self.count
        return found

    def check_files(self, folder: Path, hashes: bool) -> None:
        """Refuses a folder whose raw files are too short or, with `hashes`, whose content has changed.

        Errors: SearchError.
        """
        for name, length in self.lengths().items():
            with reading(folder / name):
                if (size := regular(folder / name).stat().st_size) < length or (size > length and name.startswith("lists")):
                    raise ValueError(f"found {size:,} bytes, expected {length:,}")
        if not hashes:
            return
        for name, expected in self.files.items():
            with reading(folder / name):
                _equal(digest(folder / name), expected)
        for name, size, hash_of in (("vectors.bin", 2 * self.options.dimensions, "vectors"), ("labels.bin", 8, "labels")):
            with reading(folder / name), regular(folder / name).open("rb") as file:
                for shard in self.shards:
                    _equal(_digest(file, size * shard.count), getattr(shard, hash_of))


def read(folder: Path) -> Manifest:
    """Reads the manifest of an index. Errors: SearchError if it is missing or invalid."""
    file = folder / FILE
    if not file.exists():
        raise SearchError(f"{folder} is not an index (it has no {FILE}); build one with gallery.build")
    with reading(file):
        return _manifest(read_json(file))


@contextlib.contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turns errors while reading a file of an index into a SearchError that names the file. A DiskError passes through."""
    try:
        yield
    except DiskError:  # not about the content
        raise
    except (OSError, ValueError) as error:
        raise SearchError(f"{file}: cannot be used ({getattr(error, 'strerror', None) or error}); {FIX}") from error


def digest(file: Path) -> str:
    """The hash of a file, 32 hexadecimal digits. Errors: as in `regular`."""
    with regular(file).open("rb") as handle:
        return _digest(handle, file.stat().st_size)


def hash_of(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content).hexdigest()[:32]


def _digest(file: Any, length: int) -> str:
    found = hashlib.blake2b()
    while length > 0 and (content := file.read(min(CHUNK, length))):
        found.update(content)
        length -= len(content)
    return found.hexdigest()[:32]


def _equal(found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(f"found hash {found}, expected {expected}")


def _manifest(found: Any) -> Manifest:
    names = {"format", *(f.name for f in dataclasses.fields(Manifest))}
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError(f"found {shown(found)}, expected a table with {', '.join(sorted(names))}")
    if found["format"] != FORMAT or type(found["format"]) is not int:
        raise ValueError(f"found format {shown(found['format'])}, expected {FORMAT}; it was written by another version")
    dimension, merged = _whole(found, "dimension", 1 << 20), _whole(found, "merged", 1 << 24)
    origin = _record(Origin, found["origin"], "origin", network=HASH)
    if not isinstance(found["options"], dict):
        raise ValueError(f"options: found {shown(found['options'])}, expected a table")
    try:
        options = IndexOptions(**found["options"])
    except ConfigError as error:
        raise ValueError("; ".join(error.problems)) from error
    unsettled = [f.name for f in dataclasses.fields(options) if getattr(options, f.name) == AUTO]
    if unsettled or options.dimensions > dimension or options.dimensions % options.code or options.probes > options.lists:
        raise ValueError(f"options: found {shown(found['options'])}, expected those of an index of dimension {dimension}")
    if not isinstance(found["shards"], list) or merged > len(found["shards"]):
        raise ValueError(f"shards: expected a list of {merged} or more")
    hashes = {"vectors": HASH, "labels": HASH, "codes": HASH if options.kind == IVFPQ else re.compile("")}
    shards = tuple(_record(Shard, one, "shards", data=DATA, **hashes) for one in found["shards"])
    for shard in shards:
        _whole({"count": shard.count}, "count", LARGEST, least=1)
    files, seconds = found["files"], found["seconds"]
    expected = {"reduction.safetensors"}
    if options.kind == IVFPQ:
        expected |= {"codebook.safetensors"}
        expected |= {f"lists-{merged:05d}.bin", f"sizes-{merged:05d}.safetensors"} if merged else set()
    if not isinstance(files, dict) or set(files) != expected or not all(_matches(HASH, value) for value in files.values()):
        raise ValueError(f"files: found {shown(files)}, expected hashes of {', '.join(sorted(expected))}")
    numbers = isinstance(seconds, dict) and all(type(value) in (int, float) and 0 <= value < 1e12 for value in seconds.values())
    if not numbers or not set(seconds) <= set(PARTS):
        raise ValueError(f"seconds: found {shown(seconds)}, expected numbers for {', '.join(PARTS)}")
    return Manifest(dimension, origin, options, shards, merged, files, seconds)


def _record(kind: type, found: Any, name: str, **forms: re.Pattern[str]) -> Any:
    expected = [f.name for f in dataclasses.fields(kind)]
    if not isinstance(found, dict) or set(found) != set(expected):
        raise ValueError(f"{name}: found {shown(found)}, expected a table with {', '.join(expected)}")
    if wrong := [part for part, form in forms.items() if not _matches(form, found[part])]:
        raise ValueError(f"{name}, {wrong[0]}: found {shown(found[wrong[0]])}, expected the form {forms[wrong[0]].pattern!r}")
    return kind(**found)


def _matches(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _whole(found: Mapping[str, Any], name: str, most: int, least: int = 0) -> int:
    value = found[name]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name}: found {shown(value)}, expected a whole number from {least} to {most}")
    return value
