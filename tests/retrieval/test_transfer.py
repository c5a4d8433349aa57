"""A network tested on images of any corpus, and results pooled over several data sets."""

import pandas as pd
import pytest
import torch

from fsclib.data.images import open_images
from fsclib.retrieval import evaluation, transfer
from fsclib.training.loop import fit


def test_a_run_scores_the_same_on_its_own_test_images(home, tiny):
    run = fit(tiny(network="twostream", stages=4, epochs=1))
    images = open_images("llcm", (64, 24), workers=1, show=False)
    device = torch.device("cpu")
    features = transfer.features_of(evaluation.run_network(run, device), images, device, torch.float32)
    head = transfer.headline(transfer.pooled([transfer.by_identity(features, images)]))
    for direction in ("ir2vis", "vis2ir"):
        for figure in ("rank1", "map"):
            assert head[f"{direction}.{figure}"] == pytest.approx(run.metrics[f"paper.{direction}.{figure}"], abs=0.06)


def people(figures, direction="ir2vis"):
    """A table as by_identity returns it, in which all people have the same share."""
    rows = [{"identity": i, "share": 1 / len(figures), "rank1": f, "map": f, "minp": f} for i, f in enumerate(figures)]
    return pd.DataFrame(rows).assign(mode="paper", direction=direction)


def test_data_sets_are_weighted_by_their_numbers_of_people():
    table = transfer.pooled([people([100.0, 0.0, 50.0]), people([80.0])])
    (row,) = table.to_dict("records")
    assert row["people"] == 4
    assert row["rank1"] == pytest.approx((3 * 50 + 80) / 4)
    assert row["rank1_low"] < row["rank1"] < row["rank1_high"]


def test_without_spread_within_data_sets_the_interval_has_no_width():
    (row,) = transfer.pooled([people([40.0] * 5), people([60.0] * 5)]).to_dict("records")
    assert row["map"] == row["map_low"] == row["map_high"] == pytest.approx(50)
