"""Principal components as colours, against sklearn, and the coloured tiles laid over images."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from spectra import network

from fsclib.analysis.frequency import components, maps


def drawn(number=2, channels=5, height=4, width=3, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(number, channels, height, width)) * np.arange(channels, 0, -1)[:, None, None]).astype(np.float32)


def test_colours_match_the_scores_of_sklearn_up_to_sign_and_scale():
    parts = {"before": drawn(), "after": drawn(seed=1)}
    found, share = components.colours(parts)
    rows = np.concatenate([np.moveaxis(part, 1, -1).reshape(-1, 5) for part in parts.values()])
    pca = PCA(3).fit(rows)
    assert share == pytest.approx(pca.explained_variance_ratio_.sum(), rel=1e-6)
    scores = pca.transform(rows)
    colours = np.concatenate([found[name].reshape(-1, 3) for name in parts])
    assert colours.min() == 0
    assert colours.max() == 1
    for axis in range(3):
        inside = (colours[:, axis] > 0) & (colours[:, axis] < 1)
        assert abs(np.corrcoef(colours[inside, axis], scores[inside, axis])[0, 1]) == pytest.approx(1, abs=1e-6)


def test_equal_features_have_equal_colours_and_smaller_ones_are_duller():
    maps = drawn()
    found, _ = components.colours({"before": maps, "same": maps, "half": maps / 2})
    np.testing.assert_array_equal(found["before"], found["same"])
    assert found["half"].std() < 0.7 * found["before"].std()


def test_signs_are_determined():
    axis = np.array([-3.0, 1.0, 0.5, 0.0, 0.0])[:, None, None]
    maps = (axis * np.linspace(-1, 1, 12).reshape(1, 1, 4, 3)).astype(np.float32)
    found, share = components.colours({"x": maps})
    assert share == pytest.approx(1)
    assert found["x"][0, 0, 0, 0] == 1  # channel 0 has the largest weight, and it decreases
    np.testing.assert_array_equal(found["x"][..., 1:], 0.5)


@pytest.mark.parametrize("channels", [1, 2])
def test_components_without_variance_are_grey(channels):
    found, _ = components.colours({"x": drawn(channels=channels)})
    assert found["x"].shape == (2, 4, 3, 3)
    np.testing.assert_array_equal(found["x"][..., channels:], 0.5)
    flat, share = components.colours({"x": np.ones((1, 4, 2, 2), np.float32)})
    np.testing.assert_array_equal(flat["x"], 0.5)
    assert share == 1


def test_tiles_cover_the_image():
    colours = np.zeros((2, 3, 3))
    colours[0, 2] = [1, 0, 0]
    image = np.full((5, 7, 3), 100, np.uint8)
    found = components.over(image, colours, strength=0.5)
    assert found.dtype == np.uint8
    red = np.zeros((5, 7), bool)
    red[:3, 5:] = True  # the first of two rows of tiles, the last of three columns
    np.testing.assert_array_equal(found[red], [[178, 50, 50]] * red.sum())
    np.testing.assert_array_equal(found[~red], [[50, 50, 50]] * (~red).sum())


class Corpus:
    def __init__(self):
        self.pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), dtype=np.uint8)
        self.records = pd.DataFrame({"modality": ["infrared", "visible", "infrared"], "identity": [4, 4, 7]})

    def take(self, rows):
        return self.pixels[rows]


def test_a_sheet_keeps_the_requested_order_of_rows():
    corpus, net = Corpus(), network("fsc", branches=1)
    lines = {"view 1": maps.chains(net)["view 1"], "layer4": ["layer4"]}
    sheet, share = components.sheet(net, corpus, np.array([2, 1, 0]), torch.device("cpu"), lines)
    assert sheet.rows == ["person 7\ninfrared", "person 4\nvisible", "person 4\ninfrared"]
    assert sheet.columns == ["image", "before", "FSA", "GCA", "ST", "layer4 view 0", "layer4 view 1"]
    assert sheet.groups == ["", *["view 1"] * 4, "layer4 view 0", "layer4 view 1"]
    assert share.keys() == {"view 1", "layer4 view 0", "layer4 view 1"}
    for line, row in zip(sheet.pictures, (2, 1, 0), strict=True):
        np.testing.assert_array_equal(line[0], corpus.pixels[row])
        assert len(line) == len(sheet.columns)
    alone, _ = components.sheet(net, corpus, np.array([1]), torch.device("cpu"), lines)
    assert alone.rows == ["person 4\nvisible"]
