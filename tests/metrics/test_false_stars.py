"""How often equal methods seem to differ: trainings and people drawn with known truth."""

import numpy as np
import pytest
from test_differences import rows_of

from fsclib.metrics.differences import paired_difference

QUERIES = 14  # per person


def trained(rng, seeds, people, spread):
    """Rank-1 per replicate and person, in per cent, of two equal methods (2, R, P); `spread`: of the difference of trainings."""
    difficulty = rng.beta(1.2, 1.2, people)
    shift = rng.normal(0, spread / 100 / np.sqrt(2), (2, seeds, 1))
    chance = np.clip(difficulty + shift + rng.normal(0, 0.15, (2, seeds, people)), 0, 1)
    return 100 * rng.binomial(QUERIES, chance) / QUERIES


@pytest.mark.parametrize("spread", [0, 2])
@pytest.mark.parametrize(("seeds", "people"), [(3, 28), (3, 300), (5, 100)])
def test_equal_methods_rarely_have_a_small_p_value(seeds, people, spread):
    rng = np.random.default_rng(0)
    found = [paired_difference(*map(rows_of, trained(rng, seeds, people, spread)), resamples=400) for _ in range(200)]
    by_p = np.mean([difference.p < 0.05 for difference in found])
    by_people = np.mean([difference.low > 0 or difference.high < 0 for difference in found])
    assert by_p <= 0.07  # 0.05 and two standard errors
    if (spread, people) == (2, 300):
        assert by_people > 0.15  # the interval over people alone would mislead


def test_a_true_difference_has_a_small_p_value():
    rng = np.random.default_rng(1)
    small = 0
    for _ in range(50):
        method, baseline = trained(rng, 3, 300, 1)
        small += paired_difference(rows_of(method + 8), rows_of(baseline), resamples=400).p < 0.05
    assert small > 40
