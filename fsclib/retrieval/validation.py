"""Validation during training, and whether a data set can be validated and tested at all."""

import numpy as np
import pandas as pd
import torch

from fsclib import metrics
from fsclib.data import protocols
from fsclib.data.datasets import LAYOUTS
from fsclib.data.images import Images
from fsclib.data.protocols import Protocol
from fsclib.data.records import NO_MATCH, Dataset, DatasetError, Problem
from fsclib.metrics import chance
from fsclib.models.base import Network
from fsclib.models.folding import folded
from fsclib.retrieval.features import embed_together, similarity
from fsclib.retrieval.search import score, unseen_by
from fsclib.system.processes import ALONE, Processes


def validate(
    net: Network, images: Images, device: torch.device, precision: torch.dtype, on: str, processes: Processes = ALONE
) -> dict[str, float]:
    """rank-1, mAP and mINP in per cent, infrared→visible, without mirror images, under the data set's own protocol.

    on="holdout": on the held-out training identities, means over the galleries; on="test": on the test images, in the first
    gallery. val_chance: expected rank-1 of a random order in the same galleries; it shows how much easier a search among the
    held-out people is than one among the test people, who may be more. With several processes only process 0 gets the figures.
    Errors: ValueError if no query has a permitted match.
    """
    protocol = images.dataset.spec.validation
    split, trials = ("val", protocol.trials) if on == "holdout" else ("test", 1)
    drawn = [protocols.query_and_gallery(images.records, protocol, trial, split) for trial in range(trials)]
    rows = np.unique(np.concatenate([part for pair in drawn for part in pair]))
    features = embed_together(folded(net), images, rows, device, precision, processes, mirror=False, show=False)
    if features is None:
        return {}
    identity, camera = (images.records[column].to_numpy() for column in ("identity", "camera"))
    found = []
    for query, gallery in drawn:
        across = similarity(features.of(query, False), features.of(gallery, False))
        own = metrics.average(score(across, images.records, query, gallery, protocol.scoring))
        random = chance.evaluate(identity[query], identity[gallery], camera[query], camera[gallery], protocol.scoring)
        found.append((own.cmc[0], own.map, own.minp, random.cmc[0]))
    figures = 100 * np.mean(found, axis=0)
    return dict(zip(("val_rank1", "val_map", "val_minp", "val_chance"), figures.tolist(), strict=True))


def check_validation(records: pd.DataFrame, protocol: Protocol) -> None:
    """Refuses held-out people among whom no query has a permitted match. ValueError that says what to do."""
    if not _searchable(records, protocol, "val"):
        people = records.loc[records["split"] == "val", "identity"].nunique()
        found = f"none of the {people} held-out people has images that the protocol may compare"
        raise ValueError(f"select_on: found 'holdout', but {found}; use select_on=last, which holds out nobody")


def _searchable(records: pd.DataFrame, protocol: Protocol, split: str) -> bool:
    """Whether any query has a permitted match; every trial has the same identities and cameras."""
    identity = records["identity"].to_numpy()
    query, gallery = protocols.query_and_gallery(records, protocol, 0, split)
    unseen = unseen_by(records, query, gallery, protocol.scoring)
    return bool(((identity[query, None] == identity[gallery]) & ~unseen).any())


def check_protocols(dataset: Dataset) -> None:
    """Refuses a data set in which some protocol has no query with a permitted match. DatasetError that lists these protocols."""
    problems = []
    index = LAYOUTS[dataset.spec.layout].retrieval_index(dataset.trial)
    for protocol in dataset.spec.protocols:
        if not _searchable(dataset.records, protocol, "test"):
            found = f"no query of {dataset.name} {protocol} has a permitted match"
            problems.append(Problem(index, None, found, "check the cameras and identities of the test images", NO_MATCH))
    if problems:
        raise DatasetError(problems, f"{dataset.name} in {dataset.root}")
