"""Notebook 10: a run's embeddings, synthetic galleries around them, and the accuracy and speed of search at each size."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from fsclib.analysis.gallery_search.crowd import Crowd, around
from fsclib.analysis.gallery_search.measurement import Neighbours, closeness, curve, measure, neighbours
from fsclib.config.names import OPENED
from fsclib.config.strict import AUTO, option
from fsclib.data.records import INFRARED, VISIBLE
from fsclib.retrieval import evaluation
from fsclib.retrieval.gallery.building import build
from fsclib.retrieval.gallery.entries import Cut, Entries
from fsclib.retrieval.gallery.gallery import Gallery
from fsclib.retrieval.gallery.options import EXACT, IVFPQ, SWITCH, TRAINED, IndexOptions, Origin
from fsclib.runs import Run, checkpoint
from fsclib.system.opening import check_folders
from workbook.run_options import RunOptions

EARLIER = 1000  # queries that an index may learn from; they show other people than the queries it is measured with
OTHERS = 10**7  # size of the gallery that these queries are drawn for


@dataclass(frozen=True, kw_only=True)
class GalleryOptions(RunOptions):
    """The parameters of notebook 10. Errors: ConfigError, as in Strict."""

    name: str = option(AUTO, "a run, or a shipped network; auto: the run that 02_train makes by default", form=OPENED)
    sizes: tuple[int, ...] = option((10_000, 100_000), "images in each gallery", low=TRAINED, high=10**8)
    queries: int = option(300, "queries that each gallery is measured with", low=10, high=10_000)
    dimensions: int = option(256, "dimensions that longer vectors are reduced to", low=1, high=4096)
    code: int = option(64, "largest code of an image, bytes", low=1, high=256)
    lists: int = option(AUTO, "lists that images are sorted into; auto: 4 √N", low=1, high=2**20)
    probes: int = option(AUTO, "lists searched per query; auto: grows with √lists", low=1, high=2**20)
    rerank: int = option(200, "top results re-ranked by their half-precision vectors; 0: none", low=0, high=100_000)
    seed: int = option(0, "seed of the synthetic embeddings", low=0, high=2**31 - 2)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        if "sizes" not in problems and (not self.sizes or sorted(set(self.sizes)) != list(self.sizes)):
            problems["sizes"] = (
                f"sizes: found {', '.join(map(str, self.sizes)) or 'none'}, expected at least one, ascending, without repeats"
            )
        return problems

    def index(self, kind: str) -> IndexOptions:
        """The options of an index of this kind."""
        given = {name: getattr(self, name) for name in ("dimensions", "code", "lists", "probes", "rerank")}
        return IndexOptions(kind=kind, **given)


class Subject(NamedTuple):
    """A run, the embeddings of all test images, their modalities (N,), and the protocol of the search."""

    run: Run
    real: Entries
    modality: np.ndarray
    origin: Origin
    scoring: str


def load(options: GalleryOptions) -> Subject:
    """Opens the run, and embeds its test images unless that was done before. Errors: RunError."""
    run = options.open(options.name)
    images = evaluation.run_images(run)
    features = evaluation.run_features(run, images)
    records = images.records.iloc[features.rows]
    identity, camera, modality = (records[column].to_numpy() for column in ("identity", "camera", "modality"))
    real = Entries(features.joined(features.rows, mirror=True).numpy(), identity, camera, images.data_hash)
    origin = Origin(checkpoint.fingerprint(run.checkpoint("best")))
    return Subject(run, real, modality, origin, images.protocols[0].scoring)


def crowd(subject: Subject, options: GalleryOptions, images: int) -> Crowd:
    """A synthetic gallery of `images` images."""
    return around(subject.real, subject.modality, images, options.seed)


def earlier(subject: Subject, options: GalleryOptions) -> np.ndarray:
    """Queries of other synthetic people that an index of any size may learn from, (EARLIER, D)."""
    return around(subject.real, subject.modality, OTHERS, options.seed + 1).queries(EARLIER).vectors


def folder_of(subject: Subject, options: GalleryOptions, kind: str, images: int) -> Path:
    """The folder of a synthetic gallery's index. Its name holds every non-default option that affects the files."""
    usual, names = GalleryOptions(), ("seed", "dimensions", "code", "lists")
    given = {name: getattr(options, name) for name in names if getattr(options, name) != getattr(usual, name)}
    return _inside(subject.run, "-".join([kind, str(images), *(f"{name}{value}" for name, value in given.items())]))


def _inside(run: Run, name: str) -> Path:
    """The folder of an index in a run. Errors: LinkError if it, or the folder of all indexes, is a link."""
    folder = run.folder / "search" / name
    check_folders(folder, run.folder)
    return folder


def kinds(images: int) -> tuple[str, ...]:
    """The kinds of index measured at this size."""
    return (EXACT, IVFPQ) if images <= SWITCH else (IVFPQ,)


def people(subject: Subject, queries: int, k: int, seed: int) -> pd.DataFrame:
    """Searches for real infrared queries, drawn at random, among all real visible images under the protocol's rule.

    Columns: query, its identity; camera, its camera; 1 … k, the identities found, with the similarity of their best image.
    """
    visible, infrared = (subject.real.of(subject.modality == kind) for kind in (VISIBLE, INFRARED))
    folder = _inside(subject.run, "real")
    build(folder, Cut(visible), subject.origin, queries=infrared.vectors)
    asked = infrared.of(np.sort(np.random.default_rng(seed).permutation(len(infrared))[:queries]))
    gallery = Gallery(folder, subject.origin)
    found = gallery.search(asked.vectors, k, identity=asked.identity, camera=asked.camera, scoring=subject.scoring, people=True)
    names = [[f"{who} ({value:.2f})" if who >= 0 else "–" for who, value in zip(*row, strict=True)]
             for row in zip(found.identity, found.similarity, strict=True)]  # fmt: skip
    table = pd.DataFrame(names, columns=[str(rank) for rank in range(1, k + 1)])
    table.insert(0, "camera", asked.camera)
    table.insert(0, "query", asked.identity)
    return table


def likeness(subject: Subject, options: GalleryOptions, found: dict[int, Neighbours]) -> pd.DataFrame:
    """How similar the nearest images are in real and in synthetic galleries.

    One row for the real test images, one for as many synthetic ones, and one for each size in `found`. If the second row differs
    from the first, the synthetic galleries measure something other than re-identification.

    Columns: gallery, images, nearest, 10th, 100th, median: similarities of infrared queries to visible images, means over queries,
    divided by the mean squared length of real vectors.
    """
    visible, infrared = (subject.real.of(subject.modality == kind) for kind in (VISIBLE, INFRARED))
    scale = float((subject.real.vectors**2).sum(1).mean())
    small = crowd(subject, options, len(visible))
    beside = {"real": (Cut(visible), infrared), "synthetic": (small, small.queries(len(infrared)))}
    rows = [
        {"gallery": name, "images": images.images} | closeness(neighbours(images, asked, None), scale)
        for name, (images, asked) in beside.items()
    ]
    rows += [{"gallery": "synthetic", "images": images} | closeness(near, scale) for images, near in found.items()]
    return pd.DataFrame(rows)


def measured(subject: Subject, options: GalleryOptions) -> tuple[pd.DataFrame, pd.DataFrame, dict[int, Neighbours]]:
    """Measures every size with every kind of index. Finished indexes are not built again, and interrupted builds are resumed.

    Returns the rows of measurement.measure, those of measurement.curve for lists of codes, and the exact neighbours by size.
    """
    rows, curves, found = [], [], {}
    learnt = earlier(subject, options)
    for images in options.sizes:
        people = crowd(subject, options, images)
        queries = people.queries(options.queries)
        for kind in kinds(images):
            folder = folder_of(subject, options, kind, images)
            row, found[images] = measure(people, folder, subject.origin, options.index(kind), queries, learnt, found.get(images))
            rows.append(row)
        curves.append(curve(Gallery(folder, subject.origin, verify=False), queries, found[images]))
    return pd.DataFrame(rows), pd.concat(curves, ignore_index=True), found
