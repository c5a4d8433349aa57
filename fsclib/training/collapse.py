"""Detects a collapsing training from an epoch's row of the log, and describes it in one line.

Judge by the neck: pooled features pass a ReLU and stay in a cone (cosine 0.95 between different people) in networks that work.
"""

from collections.abc import Mapping

from fsclib.training.objective import Objective

ALIKE = 0.9  # mean cosine of different people behind the neck above which they have collapsed to one point
IN_A_CONE = 0.99  # the same for pooled features, above which a triplet loss on them cannot tell people apart
ALL = 0.98  # share of active hinges above which no triplet counts as solved


def warning(row: Mapping[str, float], objective: Objective) -> str:
    """What is wrong, why, and what to do; "" if all is well. row: means of an epoch, as in log.csv."""
    if row["neck_cosine"] > ALIKE:
        found = f"collapsed: different people have a mean cosine of {row['neck_cosine']:.3f} behind the neck"
        mined = objective.weights.cpm * row["cpm"]
        if mined > row["identity"]:
            cause = f"pair mining ({mined:.2f}) outweighs the identity loss ({row['identity']:.2f})"
            return f"{found}; {cause}: lower cpm_weight or raise ramp_from"
        return f"{found}; the learning rate is too high for these weights: lower lr and body_lr, or raise warmup_steps"
    solved_none = row["triplet_active"] > ALL and objective.weights.metric_on == "pooled"
    if solved_none and row["pooled_cosine"] > IN_A_CONE and objective.loss == "fsc":
        found = f"the triplet loss ({row['triplet']:.2f}, margin {objective.weights.triplet_margin:g}) has no effect"
        cause = f"pooled features of different people have a mean cosine of {row['pooled_cosine']:.3f}"
        return f"{found}: {cause}; train longer, start from pretrained weights, or use metric_on=neck"
    return ""
