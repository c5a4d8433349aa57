"""Numbers of images and identities on disk beside those that the literature reports.

On disk a difference is a note, never an error. Beside published results it matters: figures on other people do not compare.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fsclib.config.specs import DATASETS, Reported
from fsclib.data.records import FAR_BELOW, MODALITIES, VISIBLE, Problem

KEYS = ["split", "modality"]
WORDS = {"train": "training", "test": "test", "gallery": "gallery"}
TOLERANCE = 0.02  # papers and repositories differ from each other by less
FAR = 0.9  # of a published number: what remains below is not a complete copy


def beside_reported(records: pd.DataFrame, name: str) -> pd.DataFrame:
    """Images and identities per split and modality, with the figures reported for the data set `name`, <NA> if none are.

    Columns: split, modality, images, identities, reported_images, reported_identities (Int64); train includes val. The gallery,
    if one is reported, has one image per identity and camera of the visible test images.
    """
    reported = pd.DataFrame(DATASETS[name].reported, columns=Reported._fields).set_index(KEYS).add_prefix("reported_")
    found = _counted(records)
    if ("gallery", VISIBLE) not in reported.index:
        found = found.drop(index=("gallery", VISIBLE))
    return found.join(reported, how="left").astype("Int64").reset_index()


def far_below(records: pd.DataFrame, name: str) -> list[Problem]:
    """Notes on the parts of a data set with less than 90 % of the images or identities that the literature reports."""
    notes = []
    for part in beside_reported(records, name).dropna().itertuples():
        if part.images < FAR * part.reported_images or part.identities < FAR * part.reported_identities:
            images = f"{part.images:,} of {part.reported_images:,} published images"
            identities = f"{part.identities:,} of {part.reported_identities:,} identities"
            fix = "restore the others from the data set's archive, unless they are left out on purpose"
            notes.append(Problem(f"{part.split} {part.modality}", None, f"{images}, {identities}", fix, FAR_BELOW))
    return notes


def recorded(records: pd.DataFrame) -> dict[str, int]:
    """The numbers as a run records them: "test visible images" → 8680, "test visible identities" → 351, …"""
    found = _counted(records)
    parts = [(split, modality, name) for split, modality in found.index for name in found]
    return {f"{split} {modality} {name}": int(found.loc[(split, modality), name]) for split, modality, name in parts}


def departures(numbers: Mapping[str, Any], name: str) -> list[str]:
    """How the numbers of `recorded` differ from those reported for the data set `name`, by more than TOLERANCE, in words.

    A missing number counts as 0; no numbers reported, no differences.
    """
    found: dict[str, None] = {}
    for column in ("identities", "images"):
        for part in DATASETS[name].reported:
            number, published = numbers.get(f"{part.split} {part.modality} {column}", 0), getattr(part, column)
            if not isinstance(number, int) or abs(number - published) > TOLERANCE * published:
                of = f"{part.modality} {WORDS[part.split]}" if column == "images" else WORDS[part.split]  # said once for both
                found[f"{number:,} {of} {column}, published {published:,}"] = None
    return list(found)


def _counted(records: pd.DataFrame) -> pd.DataFrame:
    """Columns images and identities, by split and modality; train includes val."""
    found = records.assign(split=records["split"].replace("val", "train"))
    order = pd.MultiIndex.from_product([("train", "test"), MODALITIES], names=KEYS)
    found = found.groupby(KEYS)["identity"].agg(images="size", identities="nunique").reindex(order, fill_value=0)
    seen = records.loc[(records["split"] == "test") & (records["modality"] == VISIBLE), ["identity", "camera"]]
    found.loc[("gallery", VISIBLE), :] = len(seen.drop_duplicates()), seen["identity"].nunique()
    return found
