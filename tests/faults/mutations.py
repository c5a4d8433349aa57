"""Hypothesis strategies for file contents that are nearly, or not at all, what a reader expects."""

import json
from typing import Any

from hypothesis import strategies as st

TOKENS = [
    b"", b"\0", b"\xff", b"\xed\xa0\x80", b"\r", b"\n", b"\xef\xbb\xbf", b" ", b",", b'"', b"'", b"{", b"}", b"[", b"]", b":", b"-",
    b"../", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"1.5", b"9" * 30, b"1e-400", b'{"a": 1}', b"[[]]",
    b'"\\ud800"', b"*a", b"&a", b"!!int ", b"!!timestamp x", b"!!float ", b"!!bool x", b"<<: ", b"? ", b"- ", b"# ", b"% ", b"1_0",
    "٣".encode(), "é".encode(),
]  # fmt: skip

_places = st.one_of(st.floats(0, 1), st.integers(0, 300))  # relative to the file, or near its beginning
_pieces = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8))
_edits = st.tuples(st.sampled_from(["put", "instead", "cut", "end", "repeat", "flip"]), _places, st.integers(1, 64), _pieces)

words = st.one_of(st.text(max_size=12), st.sampled_from([token.decode("latin-1") for token in TOKENS]))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 300), st.floats(), words,
    st.sampled_from([10**30, -(10**30), 2**63, 2**31, 1e308, float("nan"), float("inf"), "auto", "llcm", "../x", "\ud800"]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)),
    max_leaves=8,
)


def _place(content: bytes, where: float) -> int:
    return min(len(content), int(where * len(content)) if isinstance(where, float) else where)


def edited(content: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    """`content` after these edits, in their order."""
    for kind, where, length, piece in edits:
        at = _place(content, where)
        before, after = content[:at], content[at:]
        match kind:
            case "put":
                content = before + piece + after
            case "instead":
                content = before + piece + after[len(piece) :]
            case "cut":
                content = before + after[length:]
            case "end":
                content = before
            case "repeat":
                content = before + after[:length] * 3 + after[length:]
            case "flip":
                content = before + bytes(byte ^ 1 << length % 8 for byte in after[:1]) + after[1:]
    return content


def mutations(content: bytes) -> st.SearchStrategy[bytes]:
    """`content` after one to four edits, or any short content."""
    return st.one_of(st.lists(_edits, min_size=1, max_size=4).map(lambda edits: edited(content, edits)), st.binary(max_size=60))


def _spots(value: Any, path: tuple = ()) -> list[tuple]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, child in children for spot in _spots(child, (*path, key)))]


def _replaced(value: Any, path: tuple, new: Any) -> Any:
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _replaced(value[key], tuple(rest), new)
    return copy


def _removed(value: Any, path: tuple) -> Any:
    *parents, last = path
    return _replaced(value, tuple(parents), _without(_at(value, parents), last))


def _at(value: Any, path: list) -> Any:
    for key in path:
        value = value[key]
    return value


def _without(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return {name: child for name, child in value.items() if name != key}
    return [child for number, child in enumerate(value) if number != key]


def changed(value: Any) -> st.SearchStrategy[Any]:
    """A JSON value in which one to three parts are replaced or removed."""
    spots = _spots(value)

    @st.composite
    def draw_changed(draw):
        found = value
        for path in draw(st.lists(st.sampled_from(spots), min_size=1, max_size=3)):
            gone = path and draw(st.booleans())
            try:
                found = _removed(found, path) if gone else _replaced(found, path, draw(values))
            except (KeyError, IndexError, TypeError):  # an earlier change removed this path
                continue
        return found

    return draw_changed()


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
