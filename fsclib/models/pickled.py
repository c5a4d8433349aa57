"""Checks what a pickle would build, from its opcodes alone: nothing is unpickled, imported or called.

torch's own check, `weights_only`, allows calls that take any memory or time: a bytearray of a given length, storages longer than
the file, one list copied ten thousand times, keys that are tuples of tuples of tuples. torch.save writes none of these, and only
what it writes is allowed here.
"""

import io
import pickletools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

LARGEST = 1 << 22  # bytes of a pickle, enough for thirty thousand tensors
MEMBERS = 100  # of a tuple, including those of tuples within it; a tensor of eight dimensions has two dozen
BUILDS = 100  # calls that give attributes to a dictionary, or contents to a NumPy array; a network's state has one
SCALARS = {f"numpy.{core}.multiarray scalar" for core in ("core", "_core")}  # as NumPy 1 and 2 name their modules
ARRAYS = {f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")}
NUMBERS = re.compile("b1|[iu][1248]|f[248]|c8|c16")  # the types of NumPy values; those of Python objects would be called
CALLS = (
    SCALARS
    | ARRAYS
    | {
        "_codecs encode",  # bytes
        "numpy dtype",
        "collections OrderedDict",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch Size",
        "torch device",
    }
)
KINDS = {1: "Bool Byte Char", 2: "Short Half BFloat16", 4: "Int Float", 8: "Long Double ComplexFloat", 16: "ComplexDouble"}
NAMES = CALLS | {"numpy ndarray"}
TYPES = {f"torch {kind}Storage": size for size, kinds in KINDS.items() for kind in kinds.split()}  # bytes of an element
CODES = {
    "PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE",
    "SHORT_BINSTRING", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM",
    "SETITEMS",
}  # fmt: skip


class _Global(str):
    """A name that would be imported, "module name"."""


class _Storage(NamedTuple):
    numel: int


class _Tuple(NamedTuple):
    items: tuple[Any, ...]
    size: int  # members, including those of tuples within it: its hash would visit all


_MARK, _OTHER, _BYTES, _DTYPE, _ARRAY = (object() for _ in range(5))


def check(data: io.BytesIO, room: Callable[[str], int], total: int) -> None:
    """Reads one pickle up to its end, and refuses what torch.save would not write or what needs more memory than the file's size.

    room   the bytes that the file has for the storage of a key
    total  the bytes of the file

    Errors: ValueError.
    """
    try:
        _Walk(room, total).go(data)
    except (IndexError, KeyError) as error:  # stack or memo lacks an entry
        raise ValueError("a pickle that ends in the middle of a value") from error


class _Walk:
    def __init__(self, room: Callable[[str], int], total: int):
        self.room, self.total = room, total
        self.stack: list[Any] = []
        self.memo: dict[Any, Any] = {}  # by number
        self.storages: dict[str, int] = {}  # bytes
        self.held = self.builds = 0

    def go(self, data: io.BytesIO) -> None:
        for code, argument, _ in pickletools.genops(data):
            if code.name not in CODES:
                raise ValueError(f"the pickle code {code.name}, which torch.save does not write")
            if code.name.endswith("BINPUT"):
                self.memo[argument] = self.stack[-1]
            elif code.name.endswith("BINGET"):
                self.stack.append(self.memo[argument])
            else:
                self.step(code, argument)

    def step(self, code: pickletools.OpcodeInfo, argument: Any) -> None:
        taken = self.taken(code)
        match code.name:
            case "MARK":
                self.stack.append(_MARK)
            case "GLOBAL":
                if argument not in NAMES | TYPES.keys():
                    raise ValueError(f"the name {argument.replace(' ', '.')!r}, which no checkpoint needs")
                self.stack.append(_Global(argument))
            case "EMPTY_TUPLE" | "TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.stack.append(_tuple(taken))
            case "BINPERSID":
                self.stack.append(self.storage(*taken))
            case "REDUCE":
                self.stack.append(_call(*taken))
            case "BUILD":
                self.builds += 1
                if self.builds > BUILDS:
                    raise ValueError(f"more than {BUILDS} dictionaries with attributes or arrays")
                _build(*taken)
                self.stack.append(taken[0])
            case _:
                # numbers and text are kept; the contents of lists and dictionaries are dropped, being no larger than the file
                plain = argument is not None and not code.stack_before
                self.stack += [argument if plain else _OTHER] * len(code.stack_after)

    def taken(self, code: pickletools.OpcodeInfo) -> list[Any]:
        """The values that an opcode takes from the stack, without the mark."""
        before = code.stack_before
        if pickletools.markobject not in before:
            number = len(before)
            if number > len(self.stack) or _MARK in self.stack[len(self.stack) - number :]:
                raise IndexError
            found = self.stack[len(self.stack) - number :]
            del self.stack[len(self.stack) - number :]
            return found
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError
        found = self.stack[place + 1 :]
        del self.stack[place:]
        for _ in range(before.index(pickletools.markobject)):  # the list or dictionary that is added to
            self.stack.pop()
        return found

    def storage(self, name: Any) -> _Storage:
        """A storage whose claimed length the file really holds. name: its reference in the pickle, as torch.save writes it."""
        items = name.items if isinstance(name, _Tuple) else ()
        if len(items) < 5 or items[0] != "storage" or type(items[1]) is not _Global or items[1] not in TYPES:
            raise ValueError("a reference to something other than the data of a tensor")
        key, numel = items[2], items[4]
        if not isinstance(key, str) or type(numel) is not int or numel < 0:
            raise ValueError("a reference to tensor data without a name or a length")
        size = numel * TYPES[items[1]]
        if size > (room := self.room(key)):
            raise ValueError(f"{size:,} bytes of tensor data where the file has {room:,}")
        if key not in self.storages:
            self.storages[key] = size
            self.held += size
        if self.storages[key] != size:
            raise ValueError("tensor data of two lengths under one name")
        if self.held > self.total:
            raise ValueError(f"{self.held:,} bytes of tensor data in a file of {self.total:,}")
        return _Storage(numel)


def _tuple(items: list[Any]) -> _Tuple:
    size = len(items) + sum(item.size for item in items if isinstance(item, _Tuple))
    if size > MEMBERS:
        raise ValueError(f"a tuple of {size:,} members, expected at most {MEMBERS}")
    return _Tuple(tuple(items), size)


def _call(function: Any, arguments: Any) -> object:
    """The kind of value that a call makes. Refuses one that could need more memory than its arguments."""
    if type(function) is not _Global or function not in CALLS or not isinstance(arguments, _Tuple):
        raise ValueError("a call that no checkpoint needs")
    items = arguments.items
    if function == "collections OrderedDict" and items:
        raise ValueError("a dictionary made from another value")  # could copy a long one again and again
    if function == "torch._utils _rebuild_tensor_v2":
        _check_tensor(*items[:4])
    if function == "_codecs encode":
        if len(items) != 2 or not isinstance(items[0], str) or items[1] != "latin1":
            raise ValueError("bytes in another encoding than pickle's")
        return _BYTES
    if function == "numpy dtype":
        if not items or not isinstance(items[0], str) or not NUMBERS.fullmatch(items[0]):
            raise ValueError("a NumPy type other than a number")
        return _DTYPE
    if function in SCALARS and (len(items) != 2 or items[0] is not _DTYPE or items[1] is not _BYTES):
        raise ValueError("a NumPy number without a type and bytes")
    if function in ARRAYS:
        shape = items[1].items if len(items) == 3 and isinstance(items[1], _Tuple) else None
        if shape != (0,) or items[0] != "numpy ndarray" or items[2] is not _BYTES:
            raise ValueError("a NumPy array that is not empty before its contents")
        return _ARRAY
    return _OTHER


def _build(made: Any, state: Any) -> None:
    """Refuses contents of a NumPy type or array that NumPy would not write; NumPy compares shape, type and bytes itself."""
    items = state.items if isinstance(state, _Tuple) else ()
    if made is _DTYPE and (len(items) != 8 or items[1] not in ("<", ">", "|", "=")):
        raise ValueError("a NumPy type other than a number")
    if made is _ARRAY and (len(items) != 5 or items[2] is not _DTYPE or items[4] is not _BYTES):
        raise ValueError("a NumPy array without a type and bytes")


def _check_tensor(storage: Any = None, offset: Any = None, size: Any = None, stride: Any = None) -> None:
    shapes = [part.items if isinstance(part, _Tuple) else (None,) for part in (size, stride)]
    if type(storage) is not _Storage or not all(type(number) is int and number >= 0 for number in (offset, *shapes[0], *shapes[1])):
        raise ValueError("a tensor without data, shape or strides")
    if len(shapes[0]) != len(shapes[1]):
        raise ValueError("a tensor whose shape and strides differ in length")
    numel, last = 1, offset
    for length, step in zip(*shapes, strict=True):
        numel *= length
        last += (length - 1) * step
    if numel and (numel > storage.numel or last >= storage.numel):
        raise ValueError(f"a tensor of {numel:,} numbers, of which the file has {storage.numel:,}")
