"""Synthetic embeddings: spread like the real ones at every level, and generated in reproducible blocks."""

import numpy as np
import pytest
from searching import crowd, real

from fsclib.analysis.gallery_search.crowd import PEOPLE, around
from fsclib.retrieval.gallery.entries import Entries


def test_a_block_depends_on_its_number_and_the_seed_only():
    large, small = crowd(25_000), crowd(9_500)
    assert (len(large), len(small), large.each) == (3, 2, 9)
    np.testing.assert_array_equal(large[1].vectors[:500], small[1].vectors)
    np.testing.assert_array_equal(large[2].vectors, crowd(25_000)[2].vectors)
    assert not np.allclose(crowd(25_000, seed=1)[0].vectors, large[0].vectors)
    assert len(small[0]) == 9 * PEOPLE
    assert len(small[1]) == 500
    with pytest.raises(IndexError, match="block: found 2, expected 0 to 1"):
        small[2]


def test_each_person_is_seen_by_several_cameras_and_queried_once():
    block, queries = crowd(9_000)[0], crowd(9_000).queries(50)
    assert (np.bincount(block.identity) == 9).all()
    pairs = np.unique(np.stack([block.identity, block.camera]), axis=1)
    assert pairs.shape[1] == 3 * PEOPLE
    assert len(np.unique(queries.identity)) == 50
    assert queries.identity.max() == 999
    assert set(queries.camera) <= {1, 2, 3}


def test_spreads_match_those_of_the_real_embeddings():
    """Squared distances within a visit, between visits of a person and between people: synthetic over real."""
    images, modality = real(people=60, dimension=30)

    def spreads(entries):
        rng, found = np.random.default_rng(0), []
        pairs = rng.integers(len(entries), size=(200_000, 2))
        same = entries.identity[pairs[:, 0]] == entries.identity[pairs[:, 1]]
        visit = same & (entries.camera[pairs[:, 0]] == entries.camera[pairs[:, 1]]) & (pairs[:, 0] != pairs[:, 1])
        for chosen in (visit, same & ~visit & (pairs[:, 0] != pairs[:, 1]), ~same):
            a, b = entries.vectors[pairs[chosen]].swapaxes(0, 1)
            found.append(((a - b) ** 2).sum(1).mean())
        return np.array(found)

    expected = spreads(images.of(modality == "visible"))
    synthetic = around(images, modality, 9 * 300, 0)[0]
    np.testing.assert_allclose(spreads(synthetic) / expected, 1, atol=0.15)
    queries = around(images, modality, 9 * 300, 0).queries(300)
    own = (queries.vectors[:, None] * synthetic.vectors.reshape(300, 9, -1)).sum(-1).mean()
    other = (queries.vectors @ synthetic.vectors.T).mean()
    infrared, visible = (images.of(modality == kind) for kind in ("infrared", "visible"))
    product = infrared.vectors @ visible.vectors.T
    same = infrared.identity[:, None] == visible.identity
    assert own - other == pytest.approx(product[same].mean() - product[~same].mean(), rel=0.3)


def test_too_few_images_or_people_are_refused():
    images, modality = real(people=2, cameras=1, shots=1)
    with pytest.raises(ValueError, match="found one visible image of each person, expected more"):
        around(images, modality, 100, 0)
    alone = Entries(images.vectors[:1], images.identity[:1], images.camera[:1])
    with pytest.raises(ValueError, match="found 0 people seen by both modalities, expected two or more"):
        around(alone, modality[:1], 100, 0)
    images, modality = real(people=3, cameras=1, shots=4)  # like RegDB: one camera per modality
    assert (around(images, modality, 100, 0).visits, around(images, modality, 100, 0).shots) == (1, 4)
    assert np.isfinite(around(images, modality, 100, 0)[0].vectors).all()
