"""Where the networks look when they find two images alike."""

from collections.abc import Iterator
from functools import cache

import pandas as pd

from fsclib import figures
from fsclib.attention import sheets, subjects
from fsclib.data.masks import MaskError, read_corpus
from fsclib.paper.cast import Cast
from fsclib.paper.items import CHECKPOINT, Drawn, Item, Missing, Tabled, interval

TITLE = "Attention"
PEOPLE, SAMPLE = 3, subjects.AttentionOptions().sample  # rows of a sheet; images of each modality over which maps are counted
DIFFERENCE = ("difference", "difference_low", "difference_high")
IN_FRONT = "in front"  # poles and passers-by: too few images show them for a figure
READING = (
    " Attention is what a Grad-CAM map has above its mean, of {cells} cells and smooth only by interpolation; each map is scaled "
    "to its own maximum, so colours say where and never how much. A map shows what would raise this one cosine, not what mattered."
)


def items(cast: Cast) -> Iterator[Item | Missing]:
    """Maps of pairs, targets and views, how alike maps are, and, where masks are known, the shares of attention."""
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
    """Why nobody knows which pixel shows what; "" where it is known, or where there are no images to ask about."""
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
    """A column a kind but for what stands in front, with intervals; below the networks of a target their differences to the first,
    and above the targets of a modality what an even map would have."""
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
    "One person a row, drawn at random, before a visible and an infrared camera, and the places that speak for the likeness of the "
    "two images, each explained towards the other, in {networks}. Below a map: the raw cosine of the embeddings. A network that "
    "has found the same thing in both should look at the same parts of the person." + READING
)
TARGETS = (
    "A query a row, drawn at random, its nearest right and its nearest wrong image as the first network finds them, and maps of "
    "the query towards each and towards the person's centroid, in {networks}. Where the maps of match and wrong match agree, the "
    "network likes the same place whoever is meant. EigenCAM knows neither target nor gradient: a map that resembles it explains "
    "no match." + READING
)
VIEWS = (
    "The same queries, view by view towards the match, with the cosine of each view, in {networks}. View 0 is the trunk's own; the "
    "others come from the expansion, which is meant to make them differ." + READING
)
LIKENESS = (
    "What decides a map: mean correlations over {images} drawn images, 1 for the same map, 0 for unrelated ones. High in “another "
    "image”, it says something about the network, its padding and strides, and nothing about the image; high in “target match” for "
    "another target, it does not explain a match. The last two columns: the same image and target in the first network, and maps "
    "that are negative everywhere, of which max(map, 0) leaves nothing."
)
SHARES = (
    "Shares of the attention of {networks} on body, bag and background, over drawn images that show the part, with 95 % intervals "
    "over people. The black line is the share of the area, which an even map would have: only what lies right of it is more than "
    "chance. A part that is smaller than a cell of the map, as most bags are, cannot hold much more."
)
SHARES_TABLE = (
    "Shares of attention of {networks}, in per cent, with 95 % intervals over people; the share of the area, which an even map "
    "would have; and differences to the first network, paired image by image. One training each: they say nothing about another "
    "training."
)
