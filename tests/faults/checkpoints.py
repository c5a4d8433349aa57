"""Checkpoints of few bytes that torch would read with weights_only=True, taking far more memory or time: name → file content."""

import io
import zipfile
from collections.abc import Callable

import torch

MANY = 2_000_000_000
BEGIN = b"\x80\x02"  # of a pickle, protocol 2


def archive(content: bytes, **storages: bytes) -> bytes:
    """An archive as torch.save writes it, with this pickle and these storages."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as found:
        for name, data in {"data.pkl": content, "byteorder": b"little", **storages, "version": b"3\n"}.items():
            found.writestr(f"x/{name}", data)
    return file.getvalue()


def legacy(content: bytes, keys: bytes = b"]", after: bytes = b"") -> bytes:
    """A file in the format of torch before 1.6."""
    state = io.BytesIO()
    torch.save(1, state, _use_new_zipfile_serialization=False)
    head = state.getvalue()
    end = head.rindex(b"\x80\x02K\x01.")
    return head[:end] + content + BEGIN + keys + b"." + after


def number(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little", signed=True)


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def called(name: str, *arguments: bytes) -> bytes:
    return b"c" + name.replace(" ", "\n").encode() + b"\n(" + b"".join(arguments) + b"tR"


def storage(numel: int, key: str = "0", kind: str = "Float", view: bytes = b"") -> bytes:
    return b"(" + text("storage") + f"ctorch\n{kind}Storage\n".encode() + text(key) + text("cpu") + number(numel) + view + b"tQ"


def tensor(held: bytes, size: int, stride: int = 1) -> bytes:
    shape = number(size) + b"\x85" + number(stride) + b"\x85"
    return called("torch._utils _rebuild_tensor_v2", held, number(0), shape, b"\x89", called("collections OrderedDict"))


def _tuples(levels: int = 64) -> bytes:
    """{((…), (…)): None}: a key of 2^64 elements in about 300 bytes."""
    doubled = b"".join(b"q" + bytes([level]) + b"h" + bytes([level]) + b"\x86" for level in range(levels))
    return BEGIN + b"})" + doubled + b"Ns."


def _copies() -> bytes:
    """A list of 10,000 pairs, and 10,000 dictionaries built from it."""
    pairs = b"](" + b"".join(number(n) + b"N\x86" for n in range(10_000)) + b"eq\x00"
    return BEGIN + b"](" + pairs + b"ccollections\nOrderedDict\nq\x01" + b"h\x01h\x00\x85R" * 10_000 + b"e."


def _attributes() -> bytes:
    """A dictionary of 10,000 attributes, set on 10,000 objects."""
    shared = b"}(" + b"".join(text(f"a{n}") + b"N" for n in range(10_000)) + b"uq\x00"
    return BEGIN + b"](" + shared + b"ccollections\nOrderedDict\nq\x01" + b"h\x01)Rh\x00b" * 10_000 + b"e."


def _names_that_differ_in_case(content: bytes) -> bytes:
    file = io.BytesIO(archive(BEGIN + b"N."))
    with zipfile.ZipFile(file, "a") as found:
        found.writestr("X/DATA.PKL", content)
    return file.getvalue()


def _quantised() -> bytes:
    shape = number(MANY) + b"\x85" + number(1) + b"\x85"
    how = b"(ctorch\nper_tensor_affine\nG" + bytes(8) + number(0) + b"t"
    return BEGIN + called("torch._utils _rebuild_qtensor", storage(4, kind="QUInt8"), number(0), shape, how, b"\x89", b"N") + b"."


def _saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def bytes_of(length: int) -> bytes:
    return BEGIN + called("builtins bytearray", number(length)) + b"."


BYTEARRAY = bytes_of(MANY)
FOUR = {"data/0": bytes(16)}
CHECKPOINTS: dict[str, Callable[[], bytes]] = {
    "a bytearray of 2 GB": lambda: archive(BYTEARRAY),
    "a bytearray of 2 GB, in a legacy file": lambda: legacy(BYTEARRAY),
    "a bytearray of 2 GB, in an entry whose name differs in case": lambda: _names_that_differ_in_case(BYTEARRAY),
    "a storage longer than its data": lambda: archive(BEGIN + tensor(storage(MANY), 4) + b".", **FOUR),
    "a storage longer than its data, in a legacy file": lambda: legacy(
        BEGIN + tensor(storage(MANY, view=b"N"), 4) + b".", b"](" + text("0") + b"e", bytes(24)
    ),
    "a tensor longer than its storage": lambda: archive(BEGIN + tensor(storage(4), MANY) + b".", **FOUR),
    "a tensor longer than its storage, in a legacy file": lambda: legacy(
        BEGIN + tensor(storage(4, view=b"N"), MANY) + b".", b"](" + text("0") + b"e", (4).to_bytes(8, "little") + bytes(16)
    ),
    "one element expanded to 2 billion": lambda: archive(BEGIN + tensor(storage(4), MANY, 0) + b".", **FOUR),
    "one storage referenced a hundred times": lambda: archive(
        BEGIN + b"](" + storage(4) + b"".join(storage(3, kind="Int") for _ in range(100)) + b"e.", **FOUR
    ),
    "a quantised tensor": lambda: archive(_quantised(), **FOUR),
    "a key of 2^64 elements": lambda: archive(_tuples()),
    "a list copied into 10,000 dictionaries": lambda: archive(_copies()),
    "attributes of 10,000 objects": lambda: archive(_attributes()),
    "a pickle of five million empty lists": lambda: archive(BEGIN + b"](" + b"]" * 5_000_000 + b"e."),
    "a set": lambda: _saved({1, 2}),
    "a pickle that ends early": lambda: archive(BEGIN + b"("),
    "a pickle that pops from an empty stack": lambda: archive(BEGIN + b"tR."),
    "a pickle of a later protocol": lambda: archive(b"\x80\x04\x95" + (2).to_bytes(8, "little") + b"N."),
}
