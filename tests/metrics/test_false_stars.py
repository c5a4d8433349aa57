"""How often equal methods seem to differ: trainings and people drawn with known truth."""

import numpy as np
import pytest

from fsclib.metrics.differences import paired_difference
from tools.simulations import detectable, differences, false, rows, trained


@pytest.mark.parametrize("spread", [0, 2])
@pytest.mark.parametrize(("seeds", "people"), [(3, 28), (3, 300), (5, 100)])
def test_equal_methods_rarely_have_a_small_p_value(seeds, people, spread):
    shares = false(list(differences(seeds, people, spread, times=200, resamples=400)))
    assert shares["p"] <= 7  # 5 and two standard errors
    if (spread, people) == (2, 300):
        assert shares["people"] > 15  # the interval over people alone would mislead


def test_a_true_difference_has_a_small_p_value():
    rng = np.random.default_rng(1)
    small = 0
    for _ in range(50):
        method, baseline = trained(rng, 3, 300, 1)
        small += paired_difference(rows(method + 8), rows(baseline), resamples=400).p < 0.05
    assert small > 40


def test_a_difference_of_the_detectable_size_is_found_four_times_in_five():
    size = detectable(list(differences(3, 100, 1, times=300, resamples=300)))
    rng, found = np.random.default_rng(1), []
    for _ in range(100):
        method, baseline = trained(rng, 3, 100, 1)
        found.append(paired_difference(rows(method + size), rows(baseline), resamples=300).p < 0.05)
    assert 0.68 <= np.mean(found) <= 0.92
