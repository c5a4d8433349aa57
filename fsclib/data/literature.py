"""Numbers of images and identities reported in the literature, to compare with those on disk: a note, never an error.

Papers and repositories disagree with each other. Training means train ∪ val. "gallery" is SYSU-MM01's single-shot
gallery of one trial in all-search.
"""

import pandas as pd

from fsclib.data.records import INFRARED, MODALITIES, VISIBLE

REPORTED = pd.DataFrame(
    [
        ("sysu", "train", VISIBLE, 22_258, 395),
        ("sysu", "train", INFRARED, 11_909, 395),
        ("sysu", "test", INFRARED, 3_803, 96),
        ("sysu", "gallery", VISIBLE, 301, 96),
        ("regdb", "train", VISIBLE, 2_060, 206),
        ("regdb", "train", INFRARED, 2_060, 206),
        ("regdb", "test", VISIBLE, 2_060, 206),
        ("regdb", "test", INFRARED, 2_060, 206),
        ("llcm", "train", VISIBLE, 16_946, 713),
        ("llcm", "train", INFRARED, 13_975, 713),
        ("llcm", "test", VISIBLE, 8_680, 351),
        ("llcm", "test", INFRARED, 7_166, 351),
    ],
    columns=["name", "split", "modality", "images", "identities"],
)


def beside_reported(records: pd.DataFrame, name: str) -> pd.DataFrame:
    """Images and identities per split and modality, with the figures reported for the data set `name`, <NA> if none are.

    Columns: split, modality, images, identities, reported_images, reported_identities (Int64); train includes val. The gallery,
    if one is reported, has one image per identity and camera of the visible test images.
    """
    keys = ["split", "modality"]
    found = records.assign(split=records["split"].replace("val", "train"))
    order = pd.MultiIndex.from_product([("train", "test"), MODALITIES], names=keys)
    found = found.groupby(keys)["identity"].agg(images="size", identities="nunique").reindex(order, fill_value=0)
    reported = REPORTED[REPORTED["name"] == name].set_index(keys)[["images", "identities"]].add_prefix("reported_")
    if ("gallery", VISIBLE) in reported.index:
        seen = records.loc[(records["split"] == "test") & (records["modality"] == VISIBLE), ["identity", "camera"]]
        found.loc[("gallery", VISIBLE), :] = len(seen.drop_duplicates()), seen["identity"].nunique()
    return found.join(reported, how="left").astype("Int64").reset_index()
