"""A network tested on images of any corpus, and results pooled over several data sets."""

import pytest
import torch

from fsclib.data.images import open_images
from fsclib.metrics import estimates
from fsclib.retrieval import evaluation, transfer
from fsclib.training.loop import fit


def test_a_run_scores_the_same_on_its_own_test_images(home, tiny):
    run = fit(tiny(network="twostream", stages=4, epochs=1))
    images = open_images("llcm", (64, 24), workers=1, show=False)
    device = torch.device("cpu")
    features = transfer.features_of(evaluation.run_network(run, device), images, device, torch.float32)
    head = transfer.headline(estimates.over_people([transfer.by_identity(features, images)]))
    for direction in ("ir2vis", "vis2ir"):
        for figure in ("rank1", "map"):
            assert head[f"{direction}.{figure}"] == pytest.approx(run.metrics[f"paper.{direction}.{figure}"], abs=0.06)
