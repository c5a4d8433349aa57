"""Where the networks look when they find two images similar."""

from collections.abc import Iterator
from functools import cache

import pandas as pd

from fsclib import figures
from workbook.attention import sheets, subjects
from workbook.masks import MaskError, read_corpus
from workbook.paper.items import CHECKPOINT, Drawn, Item, Missing, Tabled, interval
from workbook.paper.selection import Cast

TITLE = "Attention"
PEOPLE, SAMPLE = 3, subjects.AttentionOptions().sample  # rows of a sheet; images per modality that shares are averaged over
DIFFERENCE = ("difference", "difference_low", "difference_high")
IN_FRONT = "in front"  # poles and passers-by: too few images show them for a figure
READING = (
    " Attention is the part of a Grad-CAM map above its mean; maps have {cells} cells and look smooth only by interpolation. Each "
    "map is scaled to its own maximum, so colours show where, not how much. A map shows what would raise this one cosine, not what "
    "mattered."
)


def items(cast: Cast) -> Iterator[Item | Missing]:
    """Maps of pairs, targets and views, their correlations, and, if there are masks, the shares of attention."""
    options = cast.options

    @cache
    def opened() -> list[subjects.Subject]:
        return subjects.open_runs(
            subjects.AttentionOptions(dataset=options.dataset, names=cast.names, seed=options.seed, **options.here)
        )

    chosen = cache(lambda: sheets.draw_queries(opened()[0], PEOPLE, options.seed))
    sampled = cache(lambda: sheets.sampled_maps(opened(), SAMPLE, options.seed))

    def drawn(sheet: sheets.MapSheet) -> Drawn:
        return Drawn(figures.map_sheet(*sheet), {"networks": _names(opened()), "cells": sheet.cells})

    def likeness() -> Tabled:
        found = sheets.likeness_table(sampled())
        return Tabled(found, facts={"images": len(sampled().rows)})

    shares = cache(lambda: sheets.share_table(sampled(), options.seed))

    def shares_drawn() -> Drawn:
        return Drawn(figures.attention_shares(shares()[shares()["kind"] != IN_FRONT]), {"networks": _names(opened())})

    def shares_tabled() -> Tabled:
        return Tabled(shares(), _printed(shares()), {"networks": _names(opened())})

    of = {"runs": cast.names, "needs": (CHECKPOINT,)}
    yield Item(name="attention_pairs", caption=PAIRS, make=lambda: drawn(sheets.pair_sheet(opened(), chosen())), **of)
    yield Item(name="attention_targets", caption=TARGETS, make=lambda: drawn(sheets.target_sheet(opened(), chosen())), **of)
    yield Item(name="attention_views", caption=VIEWS, make=lambda: drawn(sheets.view_sheet(opened(), chosen())), **of)
    yield Item(name="attention_likeness", caption=LIKENESS, make=likeness, **of)
    if problem := _without_masks(cast):
        yield Missing("attention_shares, attention_shares_table", problem)
    else:
        yield Item(name="attention_shares", caption=SHARES, make=shares_drawn, **of)
        yield Item(name="attention_shares_table", caption=SHARES_TABLE, make=shares_tabled, **of)


def _without_masks(cast: Cast) -> str:
    """Why there are no masks; "" if there are, or if there are no images at all."""
    if cast.images is None:
        return ""
    try:
        read_corpus(cast.images.dataset.root)
    except MaskError as error:
        return str(error)
    return ""


def _names(opened: list[subjects.Subject]) -> str:
    return " and ".join(f"{subject.label} ({subject.run.folder.name})" for subject in opened)


def _printed(found: pd.DataFrame) -> pd.DataFrame:
    """The printed table: one column per kind except objects in front, with intervals.

    Below the networks of a target are their differences to the first network; above the targets of a modality is the share of an
    even map.
    """
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    first = found["network"].iloc[0]
    for row in found[found["kind"] != IN_FRONT].to_dict("records"):
        told = {
            ("even map", ""): f"{row['area']:.1f}",
            (row["target"], row["network"]): interval(row["share"], row["low"], row["high"], ".1f"),
            (row["target"], f"{row['network']} − {first}"): interval(*(row[name] for name in DIFFERENCE), "+.1f"),
        }
        for (target, network), text in told.items():
            if text:
                lines.setdefault((row["modality"], target, network), {})[row["kind"]] = text
    keys = pd.DataFrame(list(lines), columns=["modality", "target", "network"])
    return pd.concat([keys, pd.DataFrame(list(lines.values()))], axis=1).fillna("")


PAIRS = (
    "One person per row, drawn at random, in a visible and an infrared image, and the positions that raise the similarity of the "
    "two, each image explained towards the other, in {networks}. Below a map: the raw cosine of the embeddings. A network that "
    "relies on the same evidence in both images should look at the same parts of the person." + READING
)
TARGETS = (
    "One query per row, drawn at random, its nearest correct and nearest wrong match according to the first network, and maps of "
    "the query towards each and towards the person's centroid, in {networks}. Where the maps of match and wrong match agree, the "
    "network attends to the same place for any target. EigenCAM uses neither target nor gradient: a map that resembles it explains "
    "no match." + READING
)
VIEWS = (
    "Maps of the same queries towards the match, view by view, with the cosine of each view, in {networks}. View 0 is the trunk's; "
    "the others come from the expansion, which is meant to make them differ." + READING
)
LIKENESS = (
    "What determines a map: mean correlations over {images} random images, 1 for identical maps, 0 for unrelated ones. A high "
    "value in “another image” means that the map reflects the network, its padding and strides, and not the image; a high value in "
    "“target match” for another target means that the map does not explain a match. The last two columns: correlation with the "
    "first network for the same image and target, and maps that are negative everywhere, of which max(map, 0) leaves nothing."
)
SHARES = (
    "Shares of the attention of {networks} on body, bag and background, over random images that show the part, with 95 % intervals "
    "over people. The black line is the part's share of the area, which an even map would reach: only values to its right are "
    "above chance. A part smaller than a cell of the map, as most bags are, cannot hold much more."
)
SHARES_TABLE = (
    "Shares of attention of {networks}, in per cent, with 95 % intervals over people; the share of the area, which an even map "
    "would reach; and differences to the first network, paired by image. With one training each, they do not carry over to another "
    "training."
)
