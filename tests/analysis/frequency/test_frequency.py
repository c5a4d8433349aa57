"""Spectra of a sample of images, and the curves and tables that notebook 04 makes of them."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from spectra import measured, network

from fsclib.analysis.frequency import before_after, maps, measurement, module_tables, noise, spectrum
from fsclib.config.strict import ConfigError
from fsclib.data.augment import normalise
from fsclib.models.fsc import MODULES, SpatialTransform
from workbook.spectrum import SpectrumOptions

VIEW = {"view 1": ["view 1 before", "view 1 FSA", "view 1 ST"]}


def test_parameters_are_checked_and_name_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"people: found 1, expected a value(.|\n)*noise: found 0"):
        SpectrumOptions(people=1, noise=0)
    assert SpectrumOptions(layers="stem, MFA1").layers == ("stem", "MFA1")
    with pytest.raises(RuntimeError, match="-p network deen -p scale tiny -p seed 3"):
        SpectrumOptions(network="deen", scale="tiny", seed=3).run()


@pytest.mark.parametrize(
    ("net", "expected", "summary"),
    [
        ({"name": "fsc", "modules": ("spatial", "frequency")}, ["view 1", "view 2"], "FSCNet: ST, FSA in each of 2 views"),
        ({"name": "deen"}, ["view 1", "view 2", "MFA1", "MFA2", "MFA3"], "DEEN has no modules in its views"),
        ({"name": "agw"}, [f"non-local {n}" for n in ("2.1", "2.2", "3.1", "3.2")], "AGW has no views .* its non-local blocks"),
        ({"name": "twostream"}, ["layer1", "layer2", "layer3", "layer4"], "TwoStream has no modules"),
    ],
    ids=lambda value: value.get("name") if isinstance(value, dict) else "",
)
def test_every_network_has_chains_and_a_summary_of_them(net, expected, summary):
    lines, text = measurement.chains(network(**net), ())
    assert list(lines) == expected
    assert re.search(summary, text)


def test_requested_points_come_with_the_points_before_them():
    net = network()
    lines, _ = measurement.chains(net, ("stem", "MFA2", "layer4", "view 2 GCA"))
    assert lines == {"stem": ["stem"], "MFA2": ["layer2", "MFA2"], "layer4": ["layer4"], "view 2": maps.chains(net)["view 2"]}
    with pytest.raises(ValueError, match="layers: found MFA9"):
        measurement.chains(net, ("MFA9",))


@pytest.fixture
def records():
    """Test images of people 1 to 6, three in each modality, and of person 7 in one modality; and two training images."""
    rows = [(who, modality, "test") for who in range(1, 7) for modality in ("visible", "infrared") for _ in range(3)]
    rows += [(7, "visible", "test"), (1, "visible", "train"), (8, "infrared", "train")]
    return pd.DataFrame(rows, columns=["identity", "modality", "split"])


def test_a_sample_has_test_people_seen_in_both_modalities(records):
    rows = measurement.sample(records, people=4, each=2, seed=0)
    table = records.iloc[rows]
    assert len(set(rows)) == len(rows) == 4 * 2 * 2
    assert set(table["split"]) == {"test"}
    assert (table.groupby(["identity", "modality"]).size() == 2).all()
    assert table["identity"].nunique() == 4
    assert len(measurement.sample(records, people=40, each=9, seed=0)) == 36
    np.testing.assert_array_equal(rows, measurement.sample(records, people=4, each=2, seed=0))
    assert rows.tolist() != measurement.sample(records, people=4, each=2, seed=1).tolist()


def test_a_requested_person_comes_first(records):
    rows = measurement.sample(records, people=3, each=1, seed=0, person=5)
    assert records["identity"].iloc[rows[0]] == 5
    pairs = measurement.pairs(records, rows, people=2)
    assert records.iloc[pairs]["modality"].tolist() == ["visible", "infrared"] * 2
    assert pairs.tolist() == rows[:4].tolist()
    with pytest.raises(ValueError, match="person: found 7, expected one seen in both modalities: 1, 2, 3, 4, 5, 6"):
        measurement.sample(records, people=3, each=1, seed=0, person=7)


def test_spectra_match_those_of_single_images(monkeypatch):
    monkeypatch.setenv("FSCLIB_HEADLESS", "1")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 64, 32, 3), dtype=np.uint8)
    table = pd.DataFrame({"identity": [3, 3, 4, 4, 4], "modality": ["infrared", "visible", "infrared", "visible", "visible"]})
    table["camera"] = [7, 1, 8, 2, 3]
    images = SimpleNamespace(records=table, take=lambda rows: pixels[rows])
    net, rows = network(), np.array([0, 4, 1])
    lines = {"view 1": maps.chains(net)["view 1"], "layer4": ["layer4"]}
    found = measurement.measure(net, images, rows, torch.device("cpu"), lines, 0.1, seed=2)
    assert found.identity.tolist() == [4, 3, 3]
    assert found.modality.tolist() == ["visible", "visible", "infrared"]
    assert found.camera.tolist() == [3, 1, 7]
    assert list(found.chains) == ["view 1", "layer4 view 0", "layer4 view 1", "layer4 view 2"]
    for place, row in enumerate((4, 1, 0)):
        image = normalise(torch.from_numpy(pixels[[row]]))
        kind = table["modality"][row]
        for name in ("input", "view 1 FSA"):
            clean = maps.capture(net, image, kind, [name])[name]
            noisy = maps.capture(net, noise.disturbed(image, np.array([row]), 0.1, seed=2), kind, [name])[name]
            power = spectrum.energy(clean)
            np.testing.assert_allclose(found.energy[name][place], spectrum.by_ring(power)[0], rtol=1e-3, atol=1e-6)
            np.testing.assert_allclose(found.picture[name][place], power[0].mean(0), rtol=1e-3, atol=1e-6)
            assert found.share[name][place] == pytest.approx(np.nanmean(spectrum.high_share(power)), rel=1e-3)
            np.testing.assert_allclose(found.error[name][place], ((noisy - clean)[0] ** 2).mean((1, 2)), rtol=1e-2, atol=1e-9)

    seen = []
    monkeypatch.setattr(maps, "capture", lambda *args, capture=maps.capture: seen.append(args) or capture(*args))
    quiet = measurement.measure(net, images, rows, torch.device("cpu"), lines, 0.0, seed=2)
    assert len(seen) == 2  # once per modality
    np.testing.assert_array_equal(quiet.energy["view 1 FSA"], found.energy["view 1 FSA"])
    assert all((error == 0).all() for error in quiet.error.values())


def test_pictures_and_profiles_are_means_of_their_modality():
    found = measured(VIEW)
    own = found.modality == "infrared"
    power = found.picture["view 1 ST"][own].mean(0)
    np.testing.assert_allclose(before_after.pictures(found)["view 1"]["infrared"]["view 1 ST"], np.log10(np.sqrt(power)))
    profile = before_after.profiles(found)["view 1"]["infrared"]["view 1 before"]
    values = found.energy["view 1 before"][own].mean(1)
    np.testing.assert_allclose(profile["mean"], values.mean(0))
    np.testing.assert_allclose(profile["low"], np.quantile(values, 0.1, axis=0))
    np.testing.assert_allclose(profile["high"], np.quantile(values, 0.9, axis=0))
    assert before_after.boxes(found) == {"view 1": spectrum.low_box(6, 4)}


def test_a_factor_has_a_flat_transfer_and_a_filter_a_sloped_one():
    found = measured(VIEW)
    before = found.energy["view 1 before"]
    slope = np.array([1.0, 0.5, 0.25, 0.125])
    found = dataclasses.replace(found, energy=found.energy | {"view 1 FSA": before * 0.25, "view 1 ST": before * 0.25 * slope**2})
    transfers = before_after.transfers(found)["view 1"]
    for modality in ("visible", "infrared"):
        assert list(transfers[modality]) == ["view 1 FSA", "view 1 ST"]
        for column in ("mean", "low", "high"):
            np.testing.assert_allclose(transfers[modality]["view 1 FSA"][column], 0.5)
            np.testing.assert_allclose(transfers[modality]["view 1 ST"][column], slope)


def test_one_image_per_modality_is_enough():
    found = measured(VIEW).pair(1)
    assert found.modality.tolist() == ["visible", "infrared"]
    assert set(found.identity) == {1}
    profile = before_after.profiles(found)["view 1"]["visible"]["view 1 FSA"]
    np.testing.assert_array_equal(profile["low"], profile["high"])


def test_without_modules_the_tables_are_empty():
    found = measured({"layer1": ["layer1"]})
    for table in (module_tables.suppression, module_tables.under_noise, module_tables.filtering, module_tables.gap_changes):
        assert list(table(found, seed=0).columns) == ["module", "modality"]
        assert table(found, seed=0).empty
    assert module_tables.sentences(module_tables.filtering(found, seed=0)).startswith("no module")
    assert before_after.flat(before_after.transfers(found), "chain", "modality", "point").empty
    assert before_after.transfers(found) == {"layer1": {"visible": {}, "infrared": {}}}


def test_gaps_are_computed_at_the_input_and_at_every_point():
    found = measured(VIEW, people=4)
    gaps = before_after.gaps(found, seed=0)
    assert {chain: list(points) for chain, points in gaps.items()} == {"input": ["input"]} | VIEW
    flat = before_after.flat(gaps, "chain", "point")
    assert list(flat.columns) == ["chain", "point", "frequency", "distance", "low", "high"]
    assert len(flat) == 4 * 4
    part = flat[flat["point"] == "view 1 ST"].reset_index(drop=True)
    np.testing.assert_array_equal(part["distance"], gaps["view 1"]["view 1 ST"]["distance"])


def test_modules_of_other_packages_are_in_the_chains(monkeypatch):
    monkeypatch.setitem(MODULES, "squeeze", SpatialTransform)
    lines, text = measurement.chains(network(modules=("squeeze", "frequency"), branches=1), ())
    assert lines == {"view 1": ["view 1 before", "view 1 squeeze", "view 1 FSA"]}
    assert "squeeze, FSA in each of 1 views" in text
