"""The gap between modalities against closed forms, and the mixing of neighbours against a plain loop."""

import numpy as np
import pytest
from pointing import points, unseen

from fsclib.analysis.embedding_space import modality_gap


def figures(table):
    return table.set_index("figure")["value"]


def plain_gap(found):
    """gap, own and people, by loops over people."""
    x = found.vectors.double().numpy()
    people = np.unique(found.identity)
    centre = {
        (who, m): x[(found.identity == who) & (found.modality == m)].mean(0) for who in people for m in ("visible", "infrared")
    }
    shift = [centre[who, "visible"] - centre[who, "infrared"] for who in people]
    pairs = [(a, b) for a in range(len(people)) for b in range(len(people)) if a != b]
    squared = np.mean([shift[a] @ shift[b] for a, b in pairs])
    apart = np.mean([
        ((centre[people[a], m] - centre[people[b], m]) ** 2).sum() for a, b in pairs for m in ("visible", "infrared")
    ])  # fmt: skip
    return np.sqrt(max(squared, 0)), np.sqrt(np.mean([g @ g for g in shift])), np.sqrt(apart)


def test_lengths_match_a_plain_loop():
    found = points(people=5, shift=2.0)
    ours = figures(modality_gap.gaps({"a": found}))
    gap, own, people = plain_gap(found)
    assert gap > 0.1
    np.testing.assert_allclose(ours[["gap", "own", "people"]], [gap, own, people], rtol=1e-5)
    np.testing.assert_allclose(ours[["common", "relative"]], [gap**2 / own**2, gap / people], rtol=1e-5)


def test_a_gap_is_nearly_the_distance_between_the_means():
    found = points(people=200, each=1, shift=2.0)
    x = found.vectors.double().numpy()
    centres = [  # every person has the same number of images
        x[found.modality == modality].mean(0) for modality in ("visible", "infrared")
    ]
    assert figures(modality_gap.gaps({"a": found}))["gap"] == pytest.approx(np.linalg.norm(centres[0] - centres[1]), rel=0.01)


def test_equal_modalities_have_no_gap_on_average():
    squared = [
        np.mean([shift[i, j] for i in range(8) for j in range(8) if i != j])
        for shift in (modality_gap.Gap.of(points(people=8, person=0.5, noise=1.0, seed=seed)).shift for seed in range(60))
    ]
    error = np.std(squared) / np.sqrt(len(squared))
    assert abs(np.mean(squared)) < 4 * error
    own = np.mean(np.diag(modality_gap.Gap.of(points(people=8, person=0.5, noise=1.0)).shift))
    assert abs(np.mean(squared)) < 0.05 * own  # the squared distance between the means would be an eighth of it


def test_people_seen_in_one_modality_only_do_not_count():
    found = points(people=6, shift=1.0)
    kept = np.flatnonzero((found.identity > 7) | (found.modality == "visible"))
    fewer = modality_gap.Gap.of(_only(found, kept))
    without = modality_gap.Gap.of(_only(found, np.flatnonzero(found.identity > 7)))
    assert fewer.both.tolist() == [False] + [True] * 5
    both = fewer(np.ones((1, 6))), without(np.ones((1, 5)))
    assert both[0].keys() == both[1].keys()
    for name in both[0]:
        np.testing.assert_allclose(both[0][name], both[1][name])


def _only(found, rows):
    from dataclasses import replace

    parts = {name: getattr(found, name)[rows] for name in ("vectors", "identity", "camera", "modality")}
    return replace(found, **parts)


@pytest.mark.parametrize("scoring", ["sysu", "regdb", "llcm"])
def test_neighbours_match_a_plain_loop(scoring, monkeypatch):
    monkeypatch.setattr(modality_gap, "BLOCK", 5)
    found = points(people=4, scoring=scoring, shift=0.5)
    observed, chance = modality_gap.crossings(found, 3)
    x = found.vectors.numpy()
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i and not unseen(found, i, j)]
        nearest = sorted(others, key=lambda j: -(x[i] @ x[j]))[:3]
        crosses = found.modality != found.modality[i]
        assert observed[i] == pytest.approx(crosses[nearest].mean())
        assert chance[i] == pytest.approx(crosses[others].mean())


def test_random_points_mix_by_chance_and_distant_modalities_do_not():
    mixed = modality_gap.mixing({"a": points(people=40, person=0.0, noise=1.0)}).set_index(["modality", "figure"])
    apart = modality_gap.mixing({"a": points(people=40, person=0.0, noise=1.0, shift=50.0)}).set_index(["modality", "figure"])
    for modality, share in (("visible", 0.4), ("infrared", 0.6)):  # two of the five cameras are infrared
        assert mixed.loc[(modality, "chance"), "value"] == pytest.approx(share, abs=0.01)
        assert mixed.loc[(modality, "mixture"), "value"] == pytest.approx(1, abs=0.08)
        assert mixed.loc[(modality, "mixture"), "low"] < 1 < mixed.loc[(modality, "mixture"), "high"]
        assert apart.loc[(modality, "observed"), "value"] < 0.1  # the infrared points nearly coincide, close to few visible ones


def test_more_neighbours_than_points_are_refused():
    with pytest.raises(ValueError, match="neighbours: found 500, expected at most"):
        modality_gap.crossings(points(), 500)
