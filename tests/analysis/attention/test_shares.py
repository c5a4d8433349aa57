"""Shares of attention against values computed by hand, and their intervals."""

import numpy as np
import pytest

from fsclib.analysis.attention.shares import KINDS, shares, summary
from fsclib.metrics import bootstrap_interval
from synthpeople.drawing import PARTS
from workbook.masks import KIND_OF

BODY, BAG, BACKGROUND, FRONT = range(4)


def part(name):
    return PARTS.index(name)


def test_a_share_is_the_attention_on_the_pixels_of_a_kind():
    masks = KIND_OF[np.array([[[part("skin"), part("bag")], [part("other person"), part("background")]]] * 2)]
    attention = np.array([[[4.0, 3.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 5.0]]], np.float32)
    np.testing.assert_allclose(shares(attention, masks), [[0.4, 0.3, 0.1, 0.2], [0, 0, 1, 0]])


def test_every_part_belongs_to_one_kind():
    masks = KIND_OF[None, None]
    found = shares(np.ones((1, 1, 1), np.float32), masks)[0]
    np.testing.assert_allclose(found * len(PARTS), [7, 1, 1, 2])  # body: skin, hair, headwear, two garments, shoes, glasses


def test_attention_is_enlarged_linearly_without_loss():
    masks = np.full((1, 8, 4), BACKGROUND, np.uint8)
    masks[0, 4:] = KIND_OF[part("shoes")]
    found = shares(np.array([[[1.0], [0.0]]], np.float32), masks)[0]
    down = np.clip((np.arange(8) + 0.5) / 4 - 0.5, 0, 1)  # positions of rows on a grid with cells at 0 and 1
    np.testing.assert_allclose(found[[BACKGROUND, BODY]], [(1 - down)[:4].sum() / 4, (1 - down)[4:].sum() / 4])
    assert found.sum() == pytest.approx(1)


def test_without_attention_there_is_no_share():
    found = shares(np.zeros((1, 3, 2), np.float32), np.zeros((1, 6, 4), np.uint8))
    assert np.isnan(found).all()


@pytest.fixture
def made():
    """Shares of two networks on 30 images of 6 people; every third image shows a bag on a tenth of its area."""
    rng = np.random.default_rng(0)
    masks = np.full((30, 10, 10), BACKGROUND, np.uint8)
    masks[:, :4] = BODY
    masks[::3, 9] = BAG
    found = {(network, target): rng.dirichlet(np.ones(4), 30) for network in ("a", "b") for target in ("match", "wrong")}
    return found, masks, np.arange(30) % 6, np.array(["visible"] * 18 + ["infrared"] * 12)


def test_statistics_cover_only_images_that_show_the_kind(made):
    found, _, people, modality = made
    found["b", "match"][1] = np.nan
    table = summary(*made, seed=3).set_index(["kind", "modality", "target", "network"])
    assert len(table) == len(KINDS) * 2 * 2 * 2
    seen = np.flatnonzero((modality == "visible") & (np.arange(30) % 3 == 0))
    row, a = table.loc["bag", "visible", "wrong", "b"], found["a", "wrong"][seen, BAG]
    b = found["b", "wrong"][seen, BAG]
    assert row["share"] == pytest.approx(100 * b.mean())
    np.testing.assert_allclose(row[["low", "high"]].astype(float), bootstrap_interval(100 * b, people[seen], 3))
    assert row["difference"] == pytest.approx(100 * (b - a).mean())
    expected = bootstrap_interval(100 * (b - a), people[seen], 3)
    np.testing.assert_allclose(row[["difference_low", "difference_high"]].astype(float), expected)
    assert row["area"] == pytest.approx(10)
    assert (row["images"], row["people"]) == (6, 2)
    body = table.loc["body", "visible", "match", "b"]
    assert body["images"] == 17
    assert body["share"] == pytest.approx(100 * np.nanmean(found["b", "match"][:18, BODY]))
    own = table.xs("a", level="network")
    assert own[["difference", "difference_low", "difference_high"]].isna().to_numpy().all()


def test_a_kind_that_no_image_shows_has_rows_without_values(made):
    table = summary(*made)
    front = table[table["kind"] == KINDS[FRONT]]
    assert (front["images"] == 0).all()
    assert front[["share", "low", "high", "area", "difference"]].isna().to_numpy().all()
