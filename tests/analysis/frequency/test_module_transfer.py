"""The transfer per channel is blind to scaling, which bends the pooled ratio, and sees a filter."""

import numpy as np
import pytest

from fsclib.analysis.frequency import transfer

RADII = np.arange(7)


def channels(number=20, images=5, seed=0):
    """Energies of channels whose spectra fall at different rates, (N, C, R), and those rates, (C,)."""
    rates = np.linspace(0, 1.5, number)
    noise = np.random.default_rng(seed).uniform(0.8, 1.25, (images, number, len(RADII)))
    return np.exp(-rates[:, None] * RADII) * noise, rates


def test_scaling_channels_according_to_their_spectra_is_flat_per_channel_and_slopes_pooled():
    before, rates = channels()
    factors = np.linspace(0.3, 1.0, len(rates))  # steep channels, strong at low radii only, are kept; flat ones are weakened
    after = before * factors[:, None] ** 2
    found = transfer.per_channel(before, after)
    np.testing.assert_allclose(found, np.exp(np.log(factors).mean()))
    np.testing.assert_allclose(transfer.tilt(found), 0, atol=1e-9)
    pooled = transfer.pooled(before, after).mean(0)
    assert pooled[0] > 0.6
    assert pooled[-1] < 0.4
    np.testing.assert_allclose(transfer.pooled(before, transfer.scaled(before, after)).mean(0), pooled)  # the control explains it


def test_a_filter_is_seen_under_scaling():
    before, rates = channels()
    gain = 10 ** (-0.5 * RADII / 20)  # −0.5 dB per cycle
    after = before * (np.linspace(1, 0.3, len(rates))[:, None] * gain) ** 2
    np.testing.assert_allclose(transfer.tilt(transfer.per_channel(before, after)), -0.5 * 5)
    assert np.ptp(transfer.tilt(transfer.pooled(before, transfer.scaled(before, after)))) < 1


def test_the_mean_over_channels_is_geometric():
    before = np.ones((1, 2, 3))
    after = before * np.array([4.0, 0.25])[:, None]
    np.testing.assert_allclose(transfer.per_channel(before, after), 1)
    np.testing.assert_allclose(transfer.pooled(before, after), np.sqrt(4.25 / 2))


def test_silent_channels_have_no_ratio_and_an_erased_ring_has_a_low_one():
    before, after = np.ones((1, 3, 4)), np.full((1, 3, 4), 0.25)
    before[0, 1, 2] = after[0, 2] = 0
    np.testing.assert_allclose(transfer.per_channel(before, after), 0.5)
    after[0, 0, 3] = 0
    np.testing.assert_allclose(transfer.per_channel(before, after), [[0.5, 0.5, 0.5, 1e-3]])
    assert np.isnan(transfer.per_channel(0 * before, after)).all()
    np.testing.assert_array_equal(transfer.pooled(0 * before, after), np.nan)


def test_the_tilt_is_that_of_the_fitted_line_without_radius_zero():
    noisy = np.exp(np.random.default_rng(0).normal(size=(3, 6)))
    expected = [4 * np.polyfit(np.arange(1, 6), 20 * np.log10(row[1:]), 1)[0] for row in noisy]
    np.testing.assert_allclose(transfer.tilt(noisy), expected)
    assert np.isnan(transfer.tilt(np.ones((2, 2)))).all()
    assert transfer.tilt(np.array([9.0, 1.0, 10.0])) == pytest.approx(20)
