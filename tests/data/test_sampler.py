"""IdentitySampler draws batches composed as in the published programs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsclib.data.sampler import IdentitySampler


def training_set(visible, infrared, seed=0):
    """Labels and modalities, shuffled: identity 10·i has visible[i] and infrared[i] images."""
    identities = 10 * np.arange(len(visible))
    labels = np.concatenate([np.repeat(identities, visible), np.repeat(identities, infrared)])
    modalities = np.repeat(["visible", "infrared"], [sum(visible), sum(infrared)])
    order = np.random.default_rng(seed).permutation(len(labels))
    return labels[order], modalities[order]


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=8),
    data=st.data(),
    images=st.integers(1, 5),
)
def test_a_step_holds_p_identities_with_k_images_in_both_modalities(counts, data, images):
    labels, modalities = training_set(*zip(*counts, strict=True))
    identities = data.draw(st.integers(1, len(counts)))
    sampler = IdentitySampler(labels, modalities, identities, images, seed=3)
    visible, infrared, drawn = sampler.epoch(0)

    most = max((modalities == "visible").sum(), (modalities == "infrared").sum())
    assert sampler.steps == most // (identities * images) + 1
    assert visible.shape == infrared.shape == drawn.shape == (sampler.steps, identities * images)
    assert {visible.dtype, infrared.dtype, drawn.dtype} == {np.dtype(np.int64)}
    assert (modalities[visible] == "visible").all()
    assert (modalities[infrared] == "infrared").all()
    np.testing.assert_array_equal(labels[visible], drawn)
    np.testing.assert_array_equal(labels[infrared], drawn)
    for step in drawn:
        values, number = np.unique(step, return_counts=True)
        assert len(values) == identities
        assert (number == images).all()
        np.testing.assert_array_equal(step, np.repeat(step[::images], images))


def test_an_epoch_depends_on_seed_epoch_and_process_only():
    labels, modalities = training_set([9] * 8, [7] * 8)
    sampler = IdentitySampler(labels, modalities, 4, 2, seed=1)
    first = sampler.epoch(5, process=2)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 -- the global state must be left alone
    sampler.epoch(6)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    again = IdentitySampler(labels, modalities, 4, 2, seed=1).epoch(5, process=2)
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)
    others = sampler.epoch(4, process=2), sampler.epoch(5, process=1), IdentitySampler(labels, modalities, 4, 2).epoch(5, 2)
    for other in others:
        assert not np.array_equal(first[0], other[0])


def test_images_are_drawn_with_replacement_and_evenly():
    labels, modalities = training_set([1, 4, 4, 4], [2000, 4, 4, 4])
    sampler = IdentitySampler(labels, modalities, 2, 4, seed=0)
    visible, infrared, drawn = sampler.epoch(0)
    assert len(np.unique(visible[drawn == 0])) == 1  # the only image, four times per step

    appearances = np.bincount(drawn[:, ::4].ravel() // 10)  # each identity is in half the steps
    assert abs(appearances / sampler.steps - 0.5).max() < 0.1
    for identity in (10, 20, 30):
        for rows in (visible, infrared):
            _, number = np.unique(rows[drawn == identity], return_counts=True)
            assert len(number) == 4
            assert abs(number / number.sum() - 0.25).max() < 0.07


def test_impossible_samples_are_refused():
    labels, modalities = training_set([3, 3, 3], [3, 3, 3])
    with pytest.raises(ValueError, match=r"3 identities, expected at least 4.*set identities=3"):
        IdentitySampler(labels, modalities, identities=4)
    incomplete = modalities.copy()
    incomplete[labels == 20] = "visible"
    with pytest.raises(ValueError, match=r"1 of 3 identities have no infrared image \(labels 20\).*leave these"):
        IdentitySampler(labels, incomplete, identities=2)
    with pytest.raises(ValueError, match="expected one of each per image"):
        IdentitySampler(labels[1:], modalities, identities=2)
    with pytest.raises(ValueError, match="thermal"):
        IdentitySampler(labels, np.where(modalities == "infrared", "thermal", "visible"), identities=2)
    with pytest.raises(ValueError, match="images=0"):
        IdentitySampler(labels, modalities, identities=2, images=0)
