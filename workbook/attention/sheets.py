"""The contents of notebook 05: image pairs, attention maps and shares of attention, ready for figures/ to draw."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fsclib.analysis.attention import explanation
from fsclib.analysis.attention.maps import above_mean, likeness
from fsclib.analysis.attention.shares import shares, summary
from fsclib.analysis.attention.subjects import Subject
from fsclib.data.images import Images
from fsclib.data.records import INFRARED, MODALITIES, VISIBLE, select
from workbook.masks import kind_masks

CONTROL = "EigenCAM"


class MapSheet(NamedTuple):
    """What figures.map_sheet draws: images, maps and captions by row and column, and names of rows, columns and column groups."""

    pictures: list[list[np.ndarray]]
    maps: list[list[np.ndarray | None]]
    captions: list[list[str]]
    rows: list[str]
    columns: list[str]
    groups: list[str]

    @property
    def cells(self) -> str:
        """The grid sizes of the maps, rows × columns, such as "6×3"; each size once."""
        shapes = {found.shape for line in self.maps for found in line if found is not None}
        return " and ".join(f"{height}×{width}" for height, width in sorted(shapes))


class Sampled(NamedTuple):
    """Signed maps (N, h, w) of the records `rows`, all views together, by (network, target); CONTROL is one of the targets."""

    images: Images
    rows: np.ndarray
    maps: dict[tuple[str, str], np.ndarray]


def draw_queries(subject: Subject, people: int, seed: int) -> pd.DataFrame:
    """Rows of explanation.partners for one test image each of `people` people drawn at random; modalities alternate."""
    records = subject.images.records
    rows = np.random.default_rng(seed).permutation(select(records, "test"))
    drawn = records.iloc[rows].assign(row=rows)
    order = drawn["identity"].drop_duplicates().tolist()
    turn = {who: MODALITIES[place % len(MODALITIES)] for place, who in enumerate(order)}
    first = drawn[drawn["modality"] == drawn["identity"].map(turn)].drop_duplicates("identity")["row"].to_numpy()
    found = explanation.partners(subject, first).set_index("row")
    return found.loc[[row for row in first if row in found.index][:people]].reset_index()


def pair_sheet(subjects: Sequence[Subject], chosen: pd.DataFrame) -> MapSheet:
    """One row per person: a matching visible and infrared image, and each network's map of one towards the other."""
    images = subjects[0].images
    visible_first = images.records["modality"].to_numpy()[chosen["row"]] == VISIBLE
    one, other = chosen["row"].to_numpy(), chosen["match"].to_numpy()
    sides = {VISIBLE: np.where(visible_first, one, other), INFRARED: np.where(visible_first, other, one)}
    columns = []
    for side, across in ((VISIBLE, INFRARED), (INFRARED, VISIBLE)):
        columns.append(_images(images, sides[side], "image", side))
        for subject in subjects:
            maps, cosine = explanation.towards(subject, sides[side], sides[across])
            columns.append(_maps(images, sides[side], maps.sum(0), cosine.mean(0), subject.label, side))
    return _sheet(columns, _names(images, one))


def target_sheet(subjects: Sequence[Subject], chosen: pd.DataFrame) -> MapSheet:
    """One row per query: match and wrong match, then the query's maps towards each and towards the centroid, and EigenCAM.

    All networks share the match and wrong match of the first one.
    """
    images, rows = subjects[0].images, chosen["row"].to_numpy()
    columns = [_images(images, chosen[name].to_numpy(), name, "images") for name in ("row", "match", "wrong")]
    columns[0] = columns[0]._replace(name="query")
    for subject in subjects:
        for target, reference in explanation.references(subject, chosen).items():
            maps, cosine = explanation.explain(subject, rows, reference)
            columns.append(_maps(images, rows, maps.sum(0), cosine.mean(0), target, subject.label))
        columns.append(_maps(images, rows, explanation.control(subject, rows).sum(0), None, CONTROL, subject.label))
    return _sheet(columns, _names(images, rows))


def view_sheet(subjects: Sequence[Subject], chosen: pd.DataFrame) -> MapSheet:
    """One row per query: its match, then the query's map towards it for each view; one map where views are not separated."""
    images, rows = subjects[0].images, chosen["row"].to_numpy()
    columns = [_images(images, rows, "query", "images"), _images(images, chosen["match"].to_numpy(), "match", "images")]
    for subject in subjects:
        maps, cosine = explanation.towards(subject, rows, chosen["match"].to_numpy())
        for number, view in enumerate(maps):
            own = cosine[number] if len(maps) == len(cosine) else cosine.mean(0)
            columns.append(_maps(images, rows, view, own, f"view {number}", subject.label))
    return _sheet(columns, _names(images, rows))


def sampled_maps(subjects: Sequence[Subject], sample: int, seed: int) -> Sampled:
    """Every network's maps towards every target, and EigenCAM, for test images drawn at random, at most `sample` per modality.

    All networks share the match and wrong match of the first one.
    """
    records, rng = subjects[0].images.records, np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(select(records, "test", side))[:sample] for side in MODALITIES])
    chosen = explanation.partners(subjects[0], rows)
    rows, maps = chosen["row"].to_numpy(), {}
    for subject in subjects:
        for target, reference in explanation.references(subject, chosen).items():
            maps[subject.label, target] = explanation.explain(subject, rows, reference).maps.sum(0)
        maps[subject.label, CONTROL] = explanation.control(subject, rows).sum(0)
    return Sampled(subjects[0].images, rows, maps)


def likeness_table(sampled: Sampled) -> pd.DataFrame:
    """What determines a map: mean correlations between maps, one row per (network, target).

    Columns: "another image", correlation with the same network's map of another image of the modality towards the same target;
    "target match", with its map of the same image towards the match; the name of the first network, with that network's map of
    the same image and target, nan where maps differ in size. "all negative, %": maps of which max(map, 0) leaves nothing.
    """
    modality, first = sampled.images.records["modality"].to_numpy()[sampled.rows], next(iter(sampled.maps))[0]
    places = [np.flatnonzero(modality == side) for side in MODALITIES]
    before, after = (np.concatenate([np.roll(place, step) for place in places]) for step in (0, 1))
    rows = []
    for (network, target), maps in sampled.maps.items():
        other = sampled.maps[first, target]
        rows.append({
            "network": network,
            "target": target,
            "another image": np.nanmean(likeness(maps[before], maps[after])),
            "target match": np.nanmean(likeness(maps, sampled.maps[network, "match"])),
            first: np.nanmean(likeness(maps, other)) if maps.shape == other.shape else np.nan,
            "all negative, %": 100 * np.mean(maps.max((1, 2)) <= 0),
        })  # fmt: skip
    return pd.DataFrame(rows)


def share_table(sampled: Sampled, seed: int) -> pd.DataFrame:
    """Shares of attention on body, bag and background, as returned by shares.summary.

    Errors: MaskError if there are no masks, as for every real data set.
    """
    people = sampled.images.records.iloc[sampled.rows]
    masks = kind_masks(sampled.images.dataset.root, people["path"].tolist())
    found = {key: shares(above_mean(maps), masks) for key, maps in sampled.maps.items()}
    return summary(found, masks, people["identity"].to_numpy(), people["modality"].to_numpy(), seed)


class _Column(NamedTuple):
    """A column of a sheet: pictures, maps, captions, its name and group."""

    pictures: list[np.ndarray]
    maps: list[np.ndarray | None]
    captions: list[str]
    name: str
    group: str


def _images(images: Images, rows: np.ndarray, name: str, group: str) -> _Column:
    cameras = images.records["camera"].to_numpy()[rows]
    return _Column(list(images.take(rows)), [None] * len(rows), [f"cam {camera}" for camera in cameras], name, group)


def _maps(images: Images, rows: np.ndarray, maps: np.ndarray, cosine: np.ndarray | None, name: str, group: str) -> _Column:
    captions = [""] * len(rows) if cosine is None else [f"cos {value:.3f}" for value in cosine]
    return _Column(list(images.take(rows)), list(above_mean(maps)), captions, name, group)


def _sheet(columns: Sequence[_Column], rows: list[str]) -> MapSheet:
    lines = (list(map(list, zip(*(getattr(c, part) for c in columns), strict=True))) for part in ("pictures", "maps", "captions"))
    return MapSheet(*lines, rows, [column.name for column in columns], [column.group for column in columns])


def _names(images: Images, rows: np.ndarray) -> list[str]:
    return [f"person {who}" for who in images.records["identity"].to_numpy()[rows]]
