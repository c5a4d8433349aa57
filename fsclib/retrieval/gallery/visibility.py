"""Which gallery entries a query may see: the protocols' rules, and a choice of cameras to search in.

Under each protocol visibility depends on the camera of an entry and on whether it shows the query's own identity. The rule itself
is metrics.hidden; it is evaluated only for the distinct cameras and the images of one identity, so it scales to any gallery size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fsclib import metrics
from fsclib.retrieval.gallery.options import library

FREE = "regdb"  # the protocol that hides nothing


@dataclass(frozen=True)
class View:
    """What a group of queries sees: entries of `cameras`, None for all cameras, except the `hidden` rows."""

    cameras: frozenset[int] | None
    hidden: tuple[int, ...]


class Visibility:
    """The views of a gallery. labels: (N, 2) integers, identity and camera; may be a memory map."""

    def __init__(self, labels: NDArray[np.int32]):
        self.labels = labels
        self._bitmaps: dict[frozenset[int], NDArray[np.uint8]] = {}

    @cached_property
    def cameras(self) -> NDArray[np.int64]:
        return np.unique(self.labels[:, 1]).astype(np.int64)

    @cached_property
    def _by_identity(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        order = np.argsort(self.labels[:, 0], kind="stable")
        return order, self.labels[order, 0]

    def rows_of(self, identity: int) -> NDArray[np.int64]:
        """The images of an identity, (n,)."""
        order, ids = self._by_identity
        first, last = (int(np.searchsorted(ids, identity, side)) for side in ("left", "right"))
        return order[first:last]

    def views(
        self, number: int, identity: NDArray | None, camera: NDArray | None, scoring: str, cameras: Sequence[int]
    ) -> Iterator[tuple[View, list[int]]]:
        """Groups `number` queries by what they see: each view with the positions of its queries.

        identity and camera (Q,): of the queries; scoring, cameras: see Gallery.search. Errors: ValueError.
        """
        if scoring not in metrics.PROTOCOLS:
            raise ValueError(f"scoring: found {scoring!r}, expected one of {', '.join(metrics.PROTOCOLS)}")
        chosen = np.unique(np.asarray(cameras, np.int64))
        if unknown := sorted(set(chosen.tolist()) - set(self.cameras.tolist())):
            known = ", ".join(map(str, self.cameras))
            raise ValueError(f"cameras: found {', '.join(map(str, unknown))}, expected some of the gallery's cameras {known}")
        asked = chosen if len(chosen) else self.cameras
        if scoring == FREE:
            yield self._view(asked, ()), list(range(number))
            return
        labels = {"identity": identity, "camera": camera}
        for name, given in labels.items():
            if given is None or np.shape(given) != (number,) or np.asarray(given).dtype.kind not in "iu":
                found = "none" if given is None else f"shape {np.shape(given)} and {np.asarray(given).dtype}"
                raise ValueError(f"{name}: found {found}, expected {number} whole numbers, one per query for {scoring}")
        groups: dict[View, list[int]] = {}
        for query, (who, where) in enumerate(zip(*labels.values(), strict=True)):
            groups.setdefault(self._seen(int(who), int(where), scoring, asked), []).append(query)
        yield from groups.items()

    def selector(self, view: View) -> tuple[object | None, list[object]]:
        """A view as a FAISS selector, None if it excludes nothing; and the objects that must stay alive while it is in use."""
        faiss, kept, chosen = library(), [], None
        if view.cameras is not None:
            kept += [bits := self._bits(view.cameras), faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))]
            chosen = kept[-1]
        if view.hidden:
            kept += [rows := faiss.IDSelectorBatch(np.array(view.hidden, np.int64)), faiss.IDSelectorNot(rows)]
            if chosen is not None:
                kept.append(faiss.IDSelectorAnd(chosen, kept[-1]))
            chosen = kept[-1]
        return chosen, kept

    def number(self, view: View) -> int:
        """A lower bound for the number of entries in a view."""
        seen = len(self.labels) if view.cameras is None else int(np.bitwise_count(self._bits(view.cameras)).sum())
        return seen - len(view.hidden)

    def _seen(self, identity: int, camera: int, scoring: str, asked: NDArray[np.int64]) -> View:
        def hidden(whose: NDArray[np.int64], where: NDArray[np.int64]) -> NDArray[np.bool_]:
            return metrics.hidden(np.array([identity]), whose, np.array([camera]), where, scoring)[0]

        elsewhere = hidden(np.full(len(asked), identity + 1), asked)  # of other identities
        rows = self.rows_of(identity)
        own = hidden(np.full(len(rows), identity), self.labels[rows, 1].astype(np.int64))
        return self._view(asked[~elsewhere], rows[own])

    def _view(self, cameras: NDArray[np.int64], hidden: Sequence[int] | NDArray[np.int64]) -> View:
        every = len(cameras) == len(self.cameras)
        shown = np.asarray(hidden, np.int64)
        if not every:  # drop rows that the camera choice already excludes
            shown = shown[np.isin(self.labels[shown, 1], cameras)]
        return View(None if every else frozenset(cameras.tolist()), tuple(shown.tolist()))

    def _bits(self, cameras: frozenset[int]) -> NDArray[np.uint8]:
        if cameras not in self._bitmaps:
            self._bitmaps[cameras] = np.packbits(np.isin(self.labels[:, 1], sorted(cameras)), bitorder="little")
        return self._bitmaps[cameras]
