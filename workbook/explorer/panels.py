"""Pictures of a query: what it retrieves, where the similarities come from, and what the modules do to its feature maps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fsclib import figures
from fsclib.analysis.attention import explanation
from fsclib.analysis.attention.maps import above_mean
from fsclib.analysis.attention.subjects import Subject
from fsclib.analysis.frequency import before_after, measurement
from fsclib.analysis.samples import lists
from fsclib.retrieval.ranking import Found, Ranking
from fsclib.system.device import device_of

LENGTH, EXPLAINED = 10, 5  # gallery images shown, and those with attention maps, which take less than a second


@dataclass(frozen=True, eq=False)
class Query:
    """A query by its place in a ranking, and the run that ranked it."""

    subject: Subject
    ranking: Ranking
    place: int

    @property
    def row(self) -> int:
        """The query's record number."""
        return int(self.ranking.query[self.place])

    @property
    def found(self) -> Found:
        """The query's complete ranked list."""
        return self.ranking.found(self.place)


def summary(query: Query) -> str:
    """The person searched for and the result, in one sentence."""
    who, camera = query.subject.images.records[["identity", "camera"]].to_numpy()[query.row]
    precision = 100 * query.ranking.scores.average_precision[query.place]
    first, seen = 1 + query.found.right.argmax(), len(query.found.rows)
    return (
        f"person {who}, camera {camera}: the first correct match is number {first} of {seen}, average precision {precision:.1f} %"
    )


def ranked_list(query: Query) -> Any:
    """The query and the gallery images most similar to it, with their similarities."""
    drawn = lists(query.subject.images, query.ranking, np.array([query.place]), LENGTH)
    return figures.ranked_lists(*drawn, captions=[[f"{value:.2f}" for value in query.found.similarity[:LENGTH]]])


def attention(query: Query) -> Any:
    """Maps of the query towards each of the first gallery images, and of each of them towards the query.

    Errors: ValueError if a gradient is only rounding noise.
    """
    images, others = query.subject.images, query.found.rows[:EXPLAINED]
    own = np.full(len(others), query.row)
    pictures, maps, captions = [], [], []
    for rows, toward in ((own, others), (others, own)):
        found = explanation.towards(query.subject, rows, toward)
        pictures.append(list(images.take(rows)))
        maps.append(list(above_mean(found.maps.sum(0))))
        captions.append([f"cos {value:.3f}" for value in found.cosine.mean(0)])
    names, columns = ["query\ntowards each", "each towards\nthe query"], [str(number + 1) for number in range(len(others))]
    return figures.map_sheet(pictures, maps, captions, names, columns, [""] * len(others))


def spectra(query: Query) -> Any:
    """Spectra of the query before and after each module of each view, or, without modules, at the points that the network has."""
    net, device = query.subject.net, device_of(query.subject.run.config.device)
    chains, _ = measurement.chains(net, ())
    found = measurement.measure(net, query.subject.images, np.array([query.row]), device, chains, 0.0, 0, show=False)
    return figures.module_spectra(before_after.pictures(found), before_after.boxes(found))


PANELS: dict[str, tuple[Callable[[Query], Any], str]] = {  # name → what draws it, and what to see in it
    "ranked list": (ranked_list, "correct matches framed green, wrong ones red and dashed; similarity below each"),
    "attention": (
        attention,
        "positions that raise the cosine to the other image more than the average position; each map is scaled to its own maximum, "
        "so colours show where, not how much",
    ),
    "spectra": (spectra, "the query's feature maps, log amplitude by frequency, before the first module and after each"),
}
