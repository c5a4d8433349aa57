"""A run beside chance, raw pixels and its own network before training."""

from dataclasses import replace

import pandas as pd
import torch

from fsclib.data.images import Images
from fsclib.data.records import select
from fsclib.models import weights
from fsclib.models.folding import folded
from fsclib.retrieval import baselines, evaluation
from fsclib.retrieval.features import embed
from fsclib.runs import Run, checkpoint
from fsclib.runs.assemble import network_of
from fsclib.system.device import device_of, precision_of

OWN = "this run"


def table(run: Run, images: Images) -> pd.DataFrame:
    """Chance, raw pixels, the untrained network and the run: columns and rows as in baselines.without_training.

    A further column, select_on, says how the epoch of the run was chosen; "" for all others.

    A run that started from the weights shipped with fsclib is also compared with the trunk, which has seen visible images only.
    """
    rows = select(images.records, "test")
    device = device_of(run.config.device)
    precision = precision_of(run.environment["precision"], device)  # the same as in the run
    num_classes = checkpoint.state(run.checkpoint("best"), "num_classes")["num_classes"]
    starts = {"untrained network": "none"} | (
        {f"{weights.TRUNK}, not adapted": weights.TRUNK} if weights.are_shipped(run.config.init) else {}
    )
    found = {}
    for name, start in starts.items():
        torch.manual_seed(run.config.seed)  # layers without given weights start as they did in the run
        net = network_of(replace(run.config, init=start), num_classes, init=True)
        net = net.to(device).to(memory_format=torch.channels_last)
        found[name] = embed(folded(net), images, rows, device, precision)
    found[OWN] = evaluation.run_features(run, images)
    joined = pd.concat([baselines.without_training(images), baselines.scored(found, images)], ignore_index=True)
    return joined.assign(select_on=(joined["method"] == OWN).map({True: run.config.select_on, False: ""}))
