"""The explorer's choices (runs, searches, galleries, similarities and queries), and the data opened for them."""

from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from fsclib import runs
from fsclib.analysis.attention.subjects import Subject, open_run
from fsclib.data import protocols
from fsclib.data.protocols import Protocol
from fsclib.retrieval.ranking import Ranking, rank
from fsclib.runs import Run

SIMILARITIES = {  # name → weighting of pooled and neck features, mirror image added
    "pooled and neck": ("equal", True),
    "pooled and neck, no mirror image": ("equal", False),
    "mostly neck": ("neck", True),
    "mostly neck, no mirror image": ("neck", False),
}


class Search(NamedTuple):
    """A run by name, one of its searches, one of the galleries drawn for it (counted from 1), and a similarity."""

    run: str
    search: str
    gallery: int
    similarity: str


@dataclass(eq=False)
class Desk:
    """The finished runs of one data set, each opened on first use, and the rankings computed so far."""

    first: Run
    names: list[str] = field(init=False)
    _subjects: dict[str, Subject] = field(default_factory=dict)
    _rankings: dict[Search, Ranking] = field(default_factory=dict)

    def __post_init__(self):
        own, dataset = self.first.folder.name, self.first.folder.parent
        table = runs.finished(runs.table(dataset.parent, dataset=dataset.name))
        self.names = [own, *(name for name in table.get("name", []) if name != own)]

    def subject(self, name: str) -> Subject:
        """Opens a run, with device and workers of the first. Errors: those of evaluation.run_images and run_features."""
        if name not in self._subjects:
            here, folder = self.first.config, self.first.folder.parent
            options = {"data_root": here.data_root if name == self.names[0] else "", "device": here.device, "workers": here.workers}
            self._subjects[name] = open_run(runs.load(folder.name, name, folder.parent, **options))
        return self._subjects[name]

    def searches(self, name: str) -> dict[str, Protocol]:
        """The protocols of a run's data set by name."""
        found = self.subject(name).images.protocols
        return {" ".join(part for part in (protocols.DIRECTIONS[p.direction], p.mode) if part): p for p in found}

    def ranking(self, search: Search) -> Ranking:
        """Every query of a search, ranked."""
        if search not in self._rankings:
            subject, protocol = self.subject(search.run), self.searches(search.run)[search.search]
            weighting, mirror = SIMILARITIES[search.similarity]
            self._rankings[search] = rank(subject.features, subject.images.records, protocol, search.gallery - 1, weighting, mirror)
        return self._rankings[search]

    def queries(self, search: Search) -> pd.DataFrame:
        """Queries that have a match, by person, camera and number of the image (from 1).

        Columns person, camera, image, place (in the ranking), first (the rank of the first correct match, as the CMC counts it).
        Errors: ValueError if there is none.
        """
        ranking, records = self.ranking(search), self.subject(search.run).images.records
        asked = records.iloc[ranking.query][["identity", "camera"]].set_axis(["person", "camera"], axis=1).reset_index(drop=True)
        asked = asked.assign(place=asked.index, first=ranking.scores.first_rank)[ranking.scores.valid]
        if asked.empty:
            raise ValueError(f"{search.search}: found {len(ranking.query)} queries and none with a match; choose another search")
        asked = asked.sort_values(["person", "camera", "place"], ignore_index=True)
        return asked.assign(image=asked.groupby(["person", "camera"]).cumcount() + 1)
