"""Where people and modalities lie among the embeddings of all test images."""

from collections.abc import Iterator
from functools import cache

import pandas as pd

from fsclib import figures
from fsclib.analysis import samples
from fsclib.analysis.embedding_space import modality_gap, resampling, separation, views
from fsclib.analysis.embedding_space.points import Embedded, Points, points_of, tsne
from fsclib.models.networks import NETWORKS, FSCNet
from fsclib.runs import Run
from workbook import embedding
from workbook.paper.items import CHECKPOINT, Drawn, Item, Missing, Tabled, interval
from workbook.paper.selection import Cast

TITLE = "Embeddings"
FAILURES = 4  # rows of the gallery


def items(cast: Cast) -> Iterator[Item | Missing]:
    """A map, distances, the modality gap, cosines and results of single views, and the worst failures."""
    options, seed = cast.options, cast.options.seed

    @cache
    def embedded() -> dict[str, Embedded]:
        return embedding.load(embedding.EmbeddingOptions(dataset=options.dataset, names=cast.names, seed=seed, **options.here))

    @cache
    def points() -> dict[str, Points]:
        return {name: points_of(one) for name, one in embedded().items()}

    counted = cache(lambda: {name: separation.pairs(part) for name, part in points().items()})
    distance_table = cache(lambda: separation.table(counted(), seed))
    gaps = cache(lambda: modality_gap.gaps(points(), seed))
    mixing = cache(lambda: modality_gap.mixing(points(), seed))
    cosines = cache(lambda: views.cosines(embedded(), seed))
    names = {"names": ", ".join(cast.names)}

    def shown(found: pd.DataFrame) -> Tabled:
        return Tabled(found, resampling.shown(found).rename(columns={"d'": "d’"}), names)

    def picture() -> Drawn:
        maps = {name: tsne(part, embedding.COLOURED, seed) for name, part in points().items()}
        return Drawn(figures.embedding_map(maps), names)

    def alone() -> Tabled:
        found = views.alone(embedded(), seed)
        differences = zip(found["difference"], found["low"], found["high"], strict=True) if "difference" in found else ()
        told = [interval(*triple, "+.1f") for triple in differences]
        figures_of = {"rank1": "rank-1", "map": "mAP", "minp": "mINP"}
        printed = found[["run", "view", *figures_of]].rename(columns=figures_of)
        return Tabled(found, printed.assign(difference=told) if told else printed, names, precision=1)

    def failures() -> Drawn:
        first = next(iter(embedded().values()))
        lists, matches = samples.failures(first.run, first.images, FAILURES)
        return Drawn(figures.ranked_lists(*lists, matches), {"name": cast.names[0]})

    def distances() -> Drawn:
        return Drawn(figures.distances(separation.histograms(counted()), distance_table()), names)

    of = {"runs": cast.names, "needs": (CHECKPOINT,)}
    yield Item(name="embedding_map", caption=MAP, make=picture, **of)
    yield Item(name="embedding_distances", caption=DISTANCES, make=distances, **of)
    yield Item(name="embedding_distances_table", caption=SEPARATION, make=lambda: shown(distance_table()), **of)
    yield Item(name="embedding_gap", caption=GAP, make=lambda: Drawn(figures.modality_gap(gaps(), mixing()), names), **of)
    yield Item(name="embedding_gap_table", caption=GAP_TABLE, make=lambda: shown(gaps()), **of)
    yield Item(name="embedding_mixing_table", caption=MIXING, make=lambda: shown(mixing()), **of)
    if cast.runs and not any(_views(run) > 1 for run in cast.runs):
        yield Missing("embedding_views", "every network here has one view: there is nothing to compare, and no orthogonality loss")
    else:
        yield Item(name="embedding_views", caption=VIEWS, make=lambda: Drawn(figures.view_cosines(cosines()), names), **of)
    yield Item(name="embedding_single_views", caption=ALONE, make=alone, **of)
    yield Item(name="embedding_failures", caption=WORST, make=failures, **(of | {"runs": cast.names[:1]}))


def _views(run: Run) -> int:
    """The number of views, without opening the network: FSC-Net and DEEN have one plus those that their expansion adds."""
    network = NETWORKS[run.config.network]
    return 1 + run.config.branches if issubclass(network, FSCNet) else network.views


MAP = (
    "t-SNE of test images of a few people, drawn at random, in {names}: one colour per person, filled circles visible, open "
    "triangles infrared, a line between a person's two centroids on the map. See whether the ends of a line lie in one cluster or "
    "in two. Lengths, sizes and gaps mean nothing, and another seed draws another map."
)
DISTANCES = (
    "Cosine distances of all pairs of test images of one person and of different people, within either modality and across, in "
    "{names}. AUC: how often the pair of one person is the closer one, 0.5 for uninformative distances; overlap: the area under "
    "both histograms. Dotted: pairs of one person at one camera, seconds apart in front of the same background, which are left out "
    "of all comparisons. The panel across modalities is the one that matters for retrieval."
)
SEPARATION = (
    "Separation of the distances in {names}: AUC, overlap, and d’, the distance of the means in standard deviations, with 95 % "
    "intervals over people. “Same person, same camera” compares images taken seconds apart."
)
GAP = (
    "The gap between modalities in {names}. Left: the distance of the modality means over all people, of a person's own two means, "
    "and of two people within a modality. Right: how many of the ten nearest images come from the other modality, beside chance "
    "(upright marks). 95 % intervals over people. Where a person's own distance is far above that of the means, the modalities "
    "differ in another way for each person, which no shift of a whole modality fixes."
)
GAP_TABLE = (
    "Modality gap of {names}, 95 % intervals over people. Gap: distance of the modality means, corrected for chance; own: of a "
    "person's two means; people: of two people within a modality; common = gap² / own², the share that one shift of a whole "
    "modality would close; relative = gap / people."
)
MIXING = (
    "Neighbours of {names}: the share of the other modality among the ten nearest images, by chance, and their ratio, the mixture, "
    "1 where modality does not matter and 0 where no neighbour comes from the other modality; 95 % intervals over people. It does "
    "not say whether such a neighbour is the correct person."
)
VIEWS = (
    "Cosines of the features of two views in {names}, 95 % intervals over people. Pooled features are never negative, so the "
    "cosine of any two images is high: where one image (circles) and two people (squares) agree, what the views share does not "
    "depend on the image. Diamonds: the same after subtracting each view's mean, which shows how redundant the views are."
)
ALONE = (
    "Retrieval with each view of {names} alone, under the first protocol of the data set, in per cent; difference: its mAP minus "
    "that of all views together, in percentage points, with a 95 % interval over people."
)
WORST = (
    "The worst failures of {name}: the queries with the lowest average precision under the first protocol and its first gallery, "
    "one per person, what was found instead, and last the most similar correct match with its rank. They were chosen as the worst "
    "cases, and prove no cause."
)
