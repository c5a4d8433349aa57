"""Numbers of images and identities on disk beside those that the literature reports: a difference is a note, never an error."""

import pandas as pd

from fsclib.config.specs import DATASETS, Reported
from fsclib.data.records import FAR_BELOW, MODALITIES, VISIBLE, Problem

FAR = 0.9  # of a published number: papers and repositories differ by less


def beside_reported(records: pd.DataFrame, name: str) -> pd.DataFrame:
    """Images and identities per split and modality, with the figures reported for the data set `name`, <NA> if none are.

    Columns: split, modality, images, identities, reported_images, reported_identities (Int64); train includes val. The gallery,
    if one is reported, has one image per identity and camera of the visible test images.
    """
    keys = ["split", "modality"]
    found = records.assign(split=records["split"].replace("val", "train"))
    order = pd.MultiIndex.from_product([("train", "test"), MODALITIES], names=keys)
    found = found.groupby(keys)["identity"].agg(images="size", identities="nunique").reindex(order, fill_value=0)
    reported = pd.DataFrame(DATASETS[name].reported, columns=Reported._fields).set_index(keys).add_prefix("reported_")
    if ("gallery", VISIBLE) in reported.index:
        seen = records.loc[(records["split"] == "test") & (records["modality"] == VISIBLE), ["identity", "camera"]]
        found.loc[("gallery", VISIBLE), :] = len(seen.drop_duplicates()), seen["identity"].nunique()
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
