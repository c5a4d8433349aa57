"""FSA as a parity gate: both forms of it agree with the module, and its gains lie between the two gates."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from spectra import attended, equal_gates, network

from fsclib.analysis.frequency import gates
from fsclib.analysis.frequency.gates import Gated
from fsclib.data.augment import normalise


@pytest.mark.parametrize("size", [(6, 4), (5, 3), (6, 3), (1, 2)])
def test_the_published_form_the_parity_form_and_the_module_agree(size):
    found = attended(2, *size)
    assert np.abs(found.real - found.imaginary).max() > 0.1
    plain = gates.inverse_transform(found)
    np.testing.assert_allclose(gates.by_parity(found), plain, atol=1e-12)
    np.testing.assert_allclose(found.output, plain, atol=1e-5)


def test_every_gain_matches_the_gated_spectrum():
    found = attended()
    spectrum = np.fft.fftshift(np.fft.fft2(found.maps.astype(float)), axes=(-2, -1))
    expected = np.hypot(found.real[..., None, None] * spectrum.real, found.imaginary[..., None, None] * spectrum.imag)
    gains = gates.gain(found)
    known = ~np.isnan(gains)
    assert known.mean() > 0.9
    np.testing.assert_allclose(gains[known], (expected / np.abs(spectrum))[known], rtol=1e-4)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((5, 3), [(0, 0)]), ((6, 3), [(0, 0), (3, 0)]), ((5, 4), [(0, 0), (0, 2)]), ((6, 4), [(0, 0), (0, 2), (3, 0), (3, 2)])],
)
def test_the_gain_is_the_gate_of_the_real_part_where_every_spectrum_is_real(size, expected):
    assert gates.real_bins(*size) == expected
    spectrum = np.fft.fft2(np.random.default_rng(0).normal(size=size))
    assert np.argwhere(np.abs(spectrum.imag) < 1e-9).tolist() == [list(bin_) for bin_ in expected]
    found = attended(8, *size)
    gains = np.fft.ifftshift(gates.gain(found), axes=(-2, -1))
    for bin_ in expected:
        here = gains[:, :, *bin_]
        np.testing.assert_allclose(here[~np.isnan(here)], found.real[~np.isnan(here)], rtol=1e-4, atol=1e-6)
    assert gates.check(found)["real"] < 1e-4
    table = gates.checks({"view 1 FSA": {"visible": found}})
    assert table["bins"].tolist() == [" ".join(map(str, expected))]


def test_gains_lie_between_the_gates_and_the_check_confirms_it():
    found = attended()
    place = gates.place(found)
    known = place[~np.isnan(place)]
    assert known.min() > -0.01
    assert known.max() < 1.01
    assert known.std() > 0.2
    checked = gates.check(found)
    assert checked["identity"] < 1e-12
    assert checked["network"] < 1e-5
    assert checked["outside"] == 0
    ratios = np.maximum(found.real, found.imaginary) / np.minimum(found.real, found.imaginary)
    assert checked["span_50%"] == pytest.approx(np.median(20 * np.log10(ratios)))


def test_a_filter_that_is_not_a_parity_gate_fails_the_check():
    found = attended()
    spectrum = np.fft.fft2(found.maps)
    spectrum[..., 1:, :] *= 0.001
    other = Gated(found.maps, np.fft.ifft2(spectrum).real.astype(np.float32), found.real, found.imaginary)
    checked = gates.check(other)
    assert checked["network"] > 0.1
    assert checked["real"] > 0.5  # the highest frequency is erased
    assert checked["outside"] > 20


def test_between_equal_gates_no_place_is_defined():
    found = equal_gates()
    assert np.isnan(gates.place(found)).all()
    assert gates.check(found)["span_95%"] == 0
    saturated = Gated(found.maps, found.output, np.zeros_like(found.real), found.imaginary)
    assert np.isfinite(gates.check(saturated)["span_95%"])


def test_the_example_is_the_channel_whose_gates_are_furthest_apart():
    found = attended()
    ratios = np.maximum(found.real, found.imaginary) / np.minimum(found.real, found.imaginary)
    image, channel = np.unravel_index(ratios.argmax(), ratios.shape)
    table = gates.example(found)
    assert table["real"].unique() == found.real[image, channel]
    assert table["imaginary"].unique() == found.imaginary[image, channel]
    gains = gates.gain(found)[image, channel].ravel()
    np.testing.assert_array_equal(table["gain"], gains[~np.isnan(gains)])
    assert table["radius"].min() == 0
    np.testing.assert_allclose(table["gain"][table["fixed"]], found.real[image, channel], rtol=1e-4)
    assert table["fixed"].sum() == 4
    assert table["radius"].max() <= np.hypot(3, 3)  # one cycle per width of 4 pixels is 1.5 cycles per height of 6


def test_distributions_separate_fixed_gates_from_image_dependent_ones():
    maps = np.zeros((3, 2, 6, 4), np.float32)
    real = np.array([[0.2, 0.6]] * 3)
    imaginary = np.array([[0.1, 0.5], [0.2, 0.6], [0.3, 0.7]])
    table = gates.distributions({"FSA": {"visible": Gated(maps, maps, real, imaginary)}}).set_index("gate")
    assert list(table.index) == ["w_R", "w_I", "w_R − w_I"]
    np.testing.assert_allclose(table["mean"], [0.4, 0.4, 0], atol=1e-12)
    np.testing.assert_allclose(table["between_channels"], [0.2, 0.2, 0], atol=1e-12)
    np.testing.assert_allclose(table["between_images"], [0, np.std([0.1, 0.2, 0.3]), np.std([0.1, 0.2, 0.3])], atol=1e-12)
    np.testing.assert_allclose(table["50%"], [0.4, 0.4, 0], atol=1e-12)


@pytest.fixture
def corpus():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 64, 32, 3), dtype=np.uint8)
    records = pd.DataFrame({"modality": ["infrared", "visible", "visible", "infrared", "visible"]})
    return SimpleNamespace(records=records, take=lambda rows: pixels[rows])


def test_every_fsa_is_collected_with_the_images_of_each_modality(corpus):
    net = network(modules=("channel", "frequency"))
    found = gates.collect(net, corpus, np.array([4, 0, 1]), torch.device("cpu"))
    assert list(found) == ["view 1 FSA", "view 2 FSA"]
    for view, group in enumerate(found.values()):
        assert {modality: len(part.maps) for modality, part in group.items()} == {"visible": 2, "infrared": 1}
        branch = net.expansion.branches[view]
        with torch.inference_mode():
            output = branch.steps["frequency"](torch.from_numpy(group["visible"].maps))
        torch.testing.assert_close(output, torch.from_numpy(group["visible"].output), rtol=1e-4, atol=1e-5)
    first = normalise(torch.from_numpy(corpus.take([4])))
    seen = []
    hook = net.expansion.branches[0].steps["frequency"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        net.embed(first, "visible")
    hook.remove()
    torch.testing.assert_close(seen[0], torch.from_numpy(found["view 1 FSA"]["visible"].maps[:1]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["deen", "agw", "twostream"])
def test_networks_without_fsa_have_no_gates(corpus, name):
    assert gates.collect(network(name), corpus, np.arange(5), torch.device("cpu")) == {}


def test_batches_are_joined_in_order():
    parts = [attended(2, seed=seed) for seed in (0, 1)]
    joined = gates._joined(parts)
    np.testing.assert_array_equal(joined.real, np.concatenate([part.real for part in parts]))
