"""Losses, one per file, and the weighted sums with which networks are trained (total)."""

from fsclib.losses.attributes import attribute_loss
from fsclib.losses.center_pair_mining import center_pair_mining
from fsclib.losses.identity import identity
from fsclib.losses.info_nce import info_nce
from fsclib.losses.orthogonality import orthogonality
from fsclib.losses.top_ranking import top_ranking
from fsclib.losses.total import LOSSES, LossWeights, Output, Parts, agw_loss, bdtr_loss, fsc_loss, identity_loss
from fsclib.losses.triplet import batch_hard_triplet, weighted_regularised_triplet

__all__ = [
    "LOSSES",
    "LossWeights",
    "Output",
    "Parts",
    "agw_loss",
    "attribute_loss",
    "batch_hard_triplet",
    "bdtr_loss",
    "center_pair_mining",
    "fsc_loss",
    "identity",
    "identity_loss",
    "info_nce",
    "orthogonality",
    "top_ranking",
    "weighted_regularised_triplet",
]
