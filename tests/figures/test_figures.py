"""Every figure shows all the data it is given, and none of its text is cut off or overlaps."""

import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from pointing import points
from spectra import examples as frequency_examples

from fsclib import figures
from fsclib.analysis.embedding_space import modality_gap, separation
from fsclib.analysis.embedding_space.points import tsne
from fsclib.analysis.frequency.spectrum import radial_profile
from fsclib.figures import curves, sheets, style


def picture(seed=0, height=24, width=12):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def training_log(epochs, every=0):
    """A log as training writes it, with a validation every `every` epochs."""
    epoch = np.arange(epochs)
    log = pd.DataFrame({"epoch": epoch, "lr": 0.1 / (epoch + 1), "total": 3.0})
    for number, part in enumerate(curves.LOSSES):
        log[part] = (number + 1) / (epoch + 1)
    if every:
        validated = (epoch + 1) % every == 0
        for name, value in (("val_rank1", 60.0), ("val_map", 50.0), ("val_minp", 40.0)):
            log[name] = np.where(validated, value, np.nan)
    return log


RECIPE = dict.fromkeys([f"{part}_weight" for part in curves.WEIGHTED], 0.5)
RECIPE |= {"loss": "fsc", "triplet_margin": 0.3, "ramp_from": 0, "ramp_steps": 0}


def difference_of(profile):
    """A difference as spectrum.difference returns it, at the frequencies of a profile."""
    decibel = np.linspace(3, -2, len(profile))
    return pd.DataFrame({"frequency": profile["frequency"], "decibel": decibel, "low": decibel - 1, "high": decibel + 0.5})


def leak_table():
    """A table as background.table returns it, with accuracies 1, 9, 17, … in its order."""
    names = ["nearest neighbour, one left out", "nearest neighbour, halves", "logistic regression, halves"]
    kinds = [(m, p, c) for m in ("visible", "infrared") for p in ("border", "whole image") for c in names]
    table = pd.DataFrame(kinds, columns=["modality", "pixels", "classifier"])
    table["accuracy"] = 8.0 * np.arange(len(table)) + 1
    return table.assign(low=table["accuracy"] - 1, high=table["accuracy"] + 3, chance=5.0)


def effects_table(variants=("none", "channel", "frequency + channel + spatial"), several=True):
    """Effects as compare returns them: increasing differences; with several trainings, the last of each panel is significant."""
    settings = ["paper, visible → infrared", "as-coded, visible → infrared"]
    kinds = [(s, f, v) for s in settings for f in ("rank1", "map", "minp") for v in variants]
    table = pd.DataFrame(kinds, columns=["setting", "figure", "variant"])
    table["difference"] = np.where(table["variant"] == variants[0], np.nan, np.arange(len(table)))
    last = (table["variant"] == variants[-1]) & several
    table = table.assign(low=table["difference"] - 1, high=table["difference"] + 2, significant=last)
    return table.assign(low_seeds=table["low"] - 1 if several else np.nan, high_seeds=table["high"] + 2 if several else np.nan)


@cache
def embedded(*names):
    """Maps and tables of made-up runs, as the figures of embeddings take them."""
    found = {name: points(scoring="regdb" if name == "thermal" else "llcm", seed=seed) for seed, name in enumerate(names)}
    counted = {name: separation.pairs(part) for name, part in found.items()}
    return {
        "maps": {name: tsne(part, 4, 0) for name, part in found.items()},
        "distances": (separation.histograms(counted), separation.table(counted)),
        "gap": (modality_gap.gaps(found), modality_gap.mixing(found, neighbours=3)),
    }


def cosine_table(*runs):
    """A table as views.cosines returns it, with cosines 0.01, 0.02, … in its order."""
    kinds = [
        (run, features, views, figure)
        for run in runs
        for features in ("pooled", "neck")
        for views in ("0 and 1", "0 and 2", "1 and 2")
        for figure in ("same image", "others", "centred")
    ]
    table = pd.DataFrame(kinds, columns=["run", "features", "views", "figure"])
    table["value"] = 0.01 * np.arange(1, len(table) + 1)
    return table.assign(low=table["value"] - 0.2, high=table["value"] + 0.1)


def search_tables(*sizes):
    """Measurements of galleries of these sizes, of both kinds each, and their curves, as workbook.gallery.measured returns them."""
    rows = [
        {"kind": kind, "images": n, "median_ms": n**power / 100, "p95_ms": n**power / 70, "build_s": n / 1e4, "recall10": recall}
        for n in sizes
        for kind, power, recall in (("exact", 1, 1.0), ("ivfpq", 0.5, 0.97))
    ]
    curves = [
        {"images": n, "probes": p, "recall1": 0.99, "recall10": 1 - 0.3 / p, "median_ms": n**0.5 * p / 1000}
        for n in sizes
        for p in (1, 4, 16)
    ]
    return pd.DataFrame(rows), pd.DataFrame(curves)


def map_lines(rows=2, columns=11):
    """Pictures, maps and captions of a sheet: three columns of images, then maps with peaks 1, 2, …."""
    maps = [[None] * 3 + [np.eye(6, 3, dtype=np.float32) * (number + 1) for number in range(columns - 3)]] * rows
    captions = [["cam 1"] * 3 + ["cos 0.123"] * (columns - 3)] * rows
    return [[picture(column) for column in range(columns)]] * rows, maps, captions


def shares_table():
    """Shares as shares.summary returns them: 1, 2, … in its order."""
    kinds = [(k, m, t, n) for k in ("body", "bag") for m in ("visible", "infrared") for t in ("match", "EigenCAM") for n in "ab"]
    table = pd.DataFrame(kinds, columns=["kind", "modality", "target", "network"])
    share = np.arange(1.0, len(table) + 1)
    return table.assign(share=share, low=share - 0.5, high=share + 1, area=4.0)


TARGETS = ["query", "match", "wrong", *["match", "wrong", "centroid", "EigenCAM"] * 2]
GROUPS = ["images"] * 3 + ["FSC-Net"] * 4 + ["DEEN"] * 4


def examples():
    """Functions that draw the figures, by name."""
    spectrum = {name: np.random.default_rng(0).random((24, 12)) + 1 for name in ("visible", "infrared")}
    profiles = {name: radial_profile(amplitude) for name, amplitude in spectrum.items()}
    right = [[True, False] * 5, [False] * 3]
    one, two = ("thermal",), ("fsc-small-seed0", "ablation-frequency.channel-seed0")
    return {
        "map": lambda: figures.embedding_map(embedded(*one)["maps"]),
        "two maps": lambda: figures.embedding_map(embedded(*two)["maps"]),
        "distances": lambda: figures.distances(*embedded(*one)["distances"]),
        "distances of two": lambda: figures.distances(*embedded(*two)["distances"]),
        "gap": lambda: figures.modality_gap(*embedded(*one)["gap"]),
        "gaps of two": lambda: figures.modality_gap(*embedded(*two)["gap"]),
        "views": lambda: figures.view_cosines(cosine_table("a")),
        "views of two": lambda: figures.view_cosines(cosine_table("fsc-small-seed0", "ablation-frequency.channel-seed0")),
        "failures": lambda: figures.ranked_lists(
            [picture()], [[picture(1)] * 9], [[False] * 9], ["person 1\ncamera 2\nAP 1.2 %\nfirst at 123"], [picture()]
        ),
        "attention": lambda: figures.map_sheet(*map_lines(), ["person 1", "person 713"], TARGETS, GROUPS),
        "attention of one": lambda: figures.map_sheet(*map_lines(1, 4), ["person 1"], TARGETS[:4], GROUPS[:4]),
        "shares": lambda: figures.attention_shares(shares_table()),
        "no shares": lambda: figures.attention_shares(shares_table().assign(share=np.nan, low=np.nan, high=np.nan)),
        "grouped sheet": lambda: figures.sample_sheet(
            [[picture()] * 17] * 2,
            ["person 1", "person 713\ncams 1, 2"],
            [f"cam {i}" for i in [*range(1, 10), 1, 2, *range(4, 10)]],
            ["visible"] * 9 + ["infrared"] * 8,
        ),
        "two columns": lambda: figures.sample_sheet([[picture()] * 2], ["person 1"], ["cam 1", "cam 2"], ["visible", "infrared"]),
        "leak": lambda: figures.leak(leak_table()),
        "nothing to leak": lambda: figures.leak(leak_table().assign(accuracy=np.nan, low=np.nan, high=np.nan, chance=np.nan)),
        "sheet": lambda: figures.sample_sheet([[picture()] * 12] * 2, ["visible", "infrared"], [f"camera {i}" for i in range(12)]),
        "small sheet": lambda: figures.sample_sheet([[picture(), None]], ["identity 12\nvisible"], ["camera 1", "camera 2"]),
        "spectra": lambda: figures.spectra(spectrum, profiles, difference_of(profiles["visible"])),
        "curves": lambda: figures.training_curves(training_log(150, 5)),
        "curves without validation": lambda: figures.training_curves(training_log(10)),
        "one epoch": lambda: figures.training_curves(training_log(1, 1)),
        "cmc": lambda: figures.cmc_curves({"a": np.linspace(40, 90, 20), "b": np.linspace([20, 30], [70, 90], 20).T}),
        "weighted curves": lambda: figures.training_curves(training_log(40, 5).assign(val_chance=1.2), RECIPE, 880),
        "cmc with references": lambda: figures.cmc_curves(
            {"a": np.linspace(40, 90, 20)}, {"a": {"chance": np.linspace(1, 20, 20)}}
        ),
        "effects": lambda: figures.effects(effects_table()),
        "search": lambda: figures.search_costs(*search_tables(10**4, 10**5, 10**6, 10**7)),
        "search in one": lambda: figures.search_costs(*search_tables(10**4)),
        "one effect": lambda: figures.effects(effects_table(["two", "one"], several=False)),
        "no effect": lambda: figures.effects(
            effects_table().assign(**dict.fromkeys(("low", "high", "low_seeds", "high_seeds"), 0.0))
        ),
        **frequency_examples(),
        "ranked": lambda: figures.ranked_lists([picture()] * 2, [[picture(1)] * 10, [picture(2)] * 3], right, ["identity 1", "b"]),
    }


EXAMPLES = examples()


@cache
def example(name):
    return EXAMPLES[name]()


def legend_texts(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_a_figure_is_shown_as_png():
    """One is enough: each of them is a Picture and is drawn by the same backend, as the test of its texts shows."""
    assert example("two columns")._repr_png_().startswith(b"\x89PNG")


def test_every_figure_is_written_as_pdf(tmp_path):
    """As pages of one file, because embedding the fonts in each takes as long as drawing; PNG files are what is shown."""
    with rc_context(style.PRINT), PdfPages(tmp_path / "a.pdf") as pages:
        for name in EXAMPLES:
            example(name).savefig(pages, format="pdf")
        assert pages.get_pagecount() == len(EXAMPLES)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_text_is_cut_off_or_overlaps_another(name, monkeypatch):
    figure, boxes, draw = example(name), [], Text.draw
    assert isinstance(figure, style.Picture)

    def recorded(text, renderer):
        draw(text, renderer)
        if text.get_text().strip() and text.get_visible():
            boxes.append((text.get_text(), text.get_window_extent(renderer)))

    monkeypatch.setattr(Text, "draw", recorded)
    FigureCanvasAgg(figure).draw()
    assert boxes
    page = figure.bbox
    cut = [text for text, b in boxes if b.x0 < page.x0 - 1 or b.y0 < page.y0 - 1 or b.x1 > page.x1 + 1 or b.y1 > page.y1 + 1]
    assert cut == []
    assert [(a, b) for i, (a, box) in enumerate(boxes) for b, other in boxes[:i] if _overlap(box, other)] == []


def _overlap(a, b):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1


def test_sample_sheet_puts_every_picture_in_its_place():
    pictures = [[picture(0), None, picture(2)], [None, picture(4), picture(5)]]
    figure = figures.sample_sheet(pictures, ["visible", "infrared"], ["camera 1", "camera 2", "camera 3"])
    grid = np.reshape(figure.axes, (2, 3))
    for line, axes in zip(pictures, grid, strict=True):
        for expected, axis in zip(line, axes, strict=True):
            found = [image.get_array() for image in axis.images]
            assert len(found) == (expected is not None)
            assert all(np.array_equal(image, expected) for image in found)
    assert [axis.get_title() for axis in grid[0]] == ["camera 1", "camera 2", "camera 3"]
    assert [axis.get_ylabel() for axis in grid[:, 0]] == ["visible", "infrared"]


def test_a_name_that_repeats_is_written_once_over_its_columns():
    columns, groups = ["cam 1", "cam 1", "cam 2", "cam 2"], ["visible"] * 3 + ["infrared"]
    figure = figures.sample_sheet([[picture()] * 4], ["person 1"], columns, groups)
    FigureCanvasAgg(figure).draw()
    # the last column starts a group and repeats its name
    assert [axis.get_title() for axis in figure.axes] == ["cam 1", "", "cam 2", "cam 2"]
    first, second, third, last = (axis.get_position() for axis in figure.axes)
    middle = figure.axes[0].title.get_window_extent().x0 + figure.axes[0].title.get_window_extent().x1
    assert middle / 2 / figure.bbox.width == pytest.approx((first.x0 + second.x1) / 2, abs=0.01)
    assert second.x0 - first.x1 < third.x0 - second.x1 < last.x0 - third.x1
    assert [text.get_text() for text in figure.texts] == ["visible", "infrared"]
    lines = [(line.get_xdata()[0], line.get_xdata()[1], line.get_color()) for line in figure.artists]
    assert lines == [
        (pytest.approx(first.x0), pytest.approx(third.x1), style.COLOURS["visible"]),
        (pytest.approx(last.x0), pytest.approx(last.x1), style.COLOURS["infrared"]),
    ]


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (6, 12), (6, 17)])
def test_sheets_fit_a_page_and_keep_the_shape_of_images(rows, columns):
    figure = figures.sample_sheet([[picture(0, 384, 144)] * columns] * rows, ["a"] * rows, ["x"] * columns)
    width, height = figure.get_size_inches()
    assert width <= style.WIDTH + 0.05
    for axis in figure.axes:
        box = axis.get_position()
        assert box.height * height / (box.width * width) == pytest.approx(384 / 144)
        assert box.height * height <= sheets.TALL + 1e-6


@pytest.mark.parametrize(("rows", "columns"), [(["a"], ["x", "y"]), (["a", "b"], ["x"])])
def test_sample_sheet_refuses_names_that_do_not_fit(rows, columns):
    with pytest.raises(ValueError, match="zip"):
        figures.sample_sheet([[picture()]], rows, columns)


def test_ranked_lists_frame_right_and_wrong():
    found = [[picture(1), picture(2), picture(3)], [picture(4)]]
    figure = figures.ranked_lists([picture(8), picture(9)], found, [[True, False, True], [False]], ["p", "q"])
    grid = np.reshape(figure.axes, (2, 4))
    assert [axis.get_title() for axis in grid[0]] == ["query", "1", "2", "3"]
    assert [axis.get_ylabel() for axis in grid[:, 0]] == ["p", "q"]
    frames = [[[p for p in axis.patches if isinstance(p, Rectangle)] for axis in axes] for axes in grid]
    colours = [[to_hex(frame[0].get_edgecolor()).upper() if frame else None for frame in line] for line in frames]
    assert colours == [[None, style.RIGHT, style.WRONG, style.RIGHT], [None, style.WRONG, None, None]]
    assert frames[0][1][0].get_linestyle() != frames[0][2][0].get_linestyle()
    for axes, query, line in zip(grid, [picture(8), picture(9)], found, strict=True):
        for axis, expected in zip(axes, [query, *line], strict=False):
            assert np.array_equal(axis.images[0].get_array(), expected)
    assert not grid[1, 2].images


def test_ranked_lists_may_end_with_the_correct_match():
    figure = figures.ranked_lists([picture()] * 2, [[picture(1)], []], [[False], []], ["p", "q"], [picture(2), picture(3)])
    grid = np.reshape(figure.axes, (2, 3))
    assert [axis.get_title() for axis in grid[0]] == ["query", "1", "match"]
    for axis, expected in zip(grid[:, 2], (picture(2), picture(3)), strict=True):
        assert np.array_equal(axis.images[0].get_array(), expected)
        assert not axis.patches


def test_an_embedding_map_marks_people_modalities_and_centroids():
    (table,) = embedded("a")["maps"].values()
    (axis,) = figures.embedding_map({"a": table}).axes
    groups = list(table.groupby(["identity", "modality"], sort=False))
    drawn = {round(float(c.get_offsets()[:, 0].mean()), 3): c for c in axis.collections}
    colours, filled, lines = {}, {}, [line for line in axis.lines if line.get_color() != "white"]
    for (who, modality), part in groups:
        found = drawn[round(part["x"].mean(), 3)]
        colours.setdefault(who, set()).add(to_hex(found.get_edgecolor()[0]))
        filled.setdefault(modality, set()).add(to_hex(found.get_facecolor()[0]) != "#ffffff")
        (line,) = (line for line in lines if to_hex(line.get_color()) in colours[who])
        centre = part[["x", "y"]].to_numpy(float).mean(0)
        assert np.isclose(np.asarray(line.get_xydata(), float), centre).all(1).any()
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == len(colours) == len(lines) == 4
    assert filled == {"visible": {True}, "infrared": {False}}


def test_distances_show_every_histogram_and_its_numbers():
    histograms, table = embedded("a", "b")["distances"]
    figure = figures.distances(histograms, table)
    for axis, ((run, kind), part) in zip(figure.axes, histograms.groupby(["run", "kind"], sort=False), strict=True):
        for line, (_, seen) in zip(axis.lines, part.groupby("pairs", sort=False), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), seen["share"])
            assert seen["share"].max() < axis.get_ylim()[1]
        own = table[(table["run"] == run) & (table["kind"] == kind) & (table["pairs"] == "same person")].set_index("figure")[
            "value"
        ]
        assert axis.texts[0].get_text() == f"overlap {own['overlap']:.2f}\nAUC {own['AUC']:.2f}"
    assert [axis.get_title() for axis in figure.axes[:3]] == list(separation.KINDS)
    (visible, _, across) = figures.distances(*embedded("thermal")["distances"]).axes
    assert visible.texts[0].get_text() == "only one camera"
    assert across.texts[0].get_text().startswith("overlap")


def test_gaps_and_mixing_are_drawn_with_their_references():
    gaps, mixing = embedded("a", "b")["gap"]
    lengths, shares = figures.modality_gap(gaps, mixing).axes
    for bars, name in zip(lengths.containers, ("gap", "own", "people"), strict=True):
        np.testing.assert_array_equal(bars.lines[0].get_xdata(), gaps.loc[gaps["figure"] == name, "value"])
        ends = np.array([segment[:, 0] for segment in bars.lines[2][0].get_segments()])
        np.testing.assert_allclose(ends, gaps.loc[gaps["figure"] == name, ["low", "high"]])
    for bars, line, modality in zip(shares.containers, shares.lines[1::2], ("visible", "infrared"), strict=False):
        part = mixing[mixing["modality"] == modality].set_index("figure")["value"]
        np.testing.assert_allclose(bars.lines[0].get_xdata().astype(float), 100 * part["observed"])
        np.testing.assert_allclose(line.get_xdata(), 100 * part["chance"])
    assert legend_texts(shares) == ["of visible images", "of infrared images", "chance"]


def test_all_cosines_of_views_are_drawn():
    table = cosine_table("a", "b")
    figure = figures.view_cosines(table)
    assert [axis.get_title() for axis in figure.axes] == ["pooled features", "neck features"]
    for axis, kind in zip(figure.axes, ("pooled", "neck"), strict=True):
        for bars, name in zip(axis.containers, ("same image", "others", "centred"), strict=True):
            part = table[(table["features"] == kind) & (table["figure"] == name)]
            np.testing.assert_array_equal(bars.lines[0].get_xdata(), part["value"])
            assert axis.get_xlim()[0] < part["low"].min()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][2:4] == ["a, 1 and 2", "b, 0 and 1"]
    single = figures.view_cosines(cosine_table("a")).axes[0]
    assert [text.get_text() for text in single.get_yticklabels()] == ["0 and 1", "0 and 2", "1 and 2"]


@pytest.mark.parametrize("size", [(24, 12), (25, 13)])
def test_spectra_share_a_scale_and_label_frequencies(size):
    height, width = size
    amplitudes = {"visible": np.ones(size), "infrared": np.full(size, 100.0)}
    amplitudes["visible"][height // 2 + 7, width // 2 + 3] = 1e4
    profiles = {name: radial_profile(amplitude) for name, amplitude in amplitudes.items()}
    difference = difference_of(profiles["visible"])
    figure = figures.spectra(amplitudes, profiles, difference)
    visible, infrared, curve, ratio, bar = figure.axes
    assert [visible.get_title(), infrared.get_title()] == ["visible", "infrared"]
    assert visible.images[0].get_clim() == infrared.images[0].get_clim() == (0, 4)
    assert "log" in bar.get_ylabel()
    left, right, bottom, top = visible.images[0].get_extent()
    row, column = np.argwhere(visible.images[0].get_array() == 4)[0]
    assert visible.images[0].origin == "lower"
    assert left + (column + 0.5) * (right - left) / width == pytest.approx(3)
    assert bottom + (row + 0.5) * (top - bottom) / height == pytest.approx(7)
    assert legend_texts(curve) == ["visible", "infrared"]
    for line, name in zip(curve.lines, amplitudes, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), radial_profile(amplitudes[name])["amplitude"])
        assert line.get_color() == style.COLOURS[name]
    np.testing.assert_array_equal(ratio.lines[-1].get_ydata(), difference["decibel"])
    band = ratio.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (difference["low"].min(), difference["high"].max())
    assert "infrared\nover visible" in ratio.get_ylabel()
    assert "dB" in ratio.get_ylabel()


def test_leak_shows_every_accuracy_with_its_interval_and_chance():
    table = leak_table()
    figure = figures.leak(table)
    assert [axis.get_title() for axis in figure.axes] == ["visible", "infrared"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chance", "border", "whole image"]
    for axis in figure.axes:
        for bars, kind in zip(axis.containers, ("border", "whole image"), strict=True):
            part = table[(table["modality"] == axis.get_title()) & (table["pixels"] == kind)]
            np.testing.assert_array_equal(bars.lines[0].get_xdata(), part["accuracy"])
            ends = np.array([segment[:, 0] for segment in bars.lines[2][0].get_segments()])
            np.testing.assert_allclose(ends, part[["low", "high"]])
        assert any(list(line.get_xdata()) == [5] * 3 for line in axis.lines)


def test_training_curves_show_every_part_from_epoch_one():
    log = training_log(12, every=5)
    losses, schedule, validation = figures.training_curves(log).axes
    assert legend_texts(losses) == list(curves.LOSSES)
    for line, part in zip(losses.lines, curves.LOSSES, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), log[part])
        assert list(line.get_xdata()) == list(range(1, 13))
    np.testing.assert_array_equal(schedule.lines[0].get_ydata(), log["lr"])
    assert legend_texts(validation) == ["rank-1", "mAP"]
    for line, value in zip(validation.lines, (60, 50), strict=True):
        assert list(line.get_xdata()) == [5, 10]
        assert list(line.get_ydata()) == [value] * 2


def test_losses_are_drawn_as_weighted_in_the_total():
    log, ramp = training_log(12, every=5).assign(val_chance=1.5), np.clip((np.arange(12) - 3) / 4, 0, 1)
    weights = {"cpm": 0.8, "orthogonality": 0.01, "infonce": 1.0, "attributes": 0.5}
    whole = {part: weights.get(part, 1) * log[part] * (ramp if part in curves.RAMPED else 1) for part in curves.LOSSES}
    log["total"] = sum(whole.values())
    recipe = RECIPE | {f"{part}_weight": weight for part, weight in weights.items()} | {"ramp_from": 30, "ramp_steps": 40}
    losses, _, validation = figures.training_curves(log, recipe, 880).axes
    expected = ["identity", "triplet", "0.8 × cpm", "0.01 × orthogonality", "infonce", "0.5 × attributes"]
    assert legend_texts(losses) == expected
    *lines, most, margin = losses.lines
    for line, values in zip(lines, whole.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), values, atol=1e-12)
    assert [most.get_ydata()[0], margin.get_ydata()[0]] == pytest.approx([np.log(880), 0.3])
    assert [text.get_text() for text in losses.texts] == ["ln C", "margin"]
    assert legend_texts(validation) == ["rank-1", "mAP", "rank-1 by chance"]
    assert list(validation.lines[2].get_ydata()) == [1.5, 1.5]
    losses = figures.training_curves(log, recipe | {"loss": "agw", "ramp_from": 0, "ramp_steps": 0}).axes[0]
    assert not losses.texts
    np.testing.assert_allclose(losses.lines[2].get_ydata(), 0.8 * log["cpm"])


def test_logs_without_the_newer_losses_are_shown():
    log = training_log(3).drop(columns=["infonce", "attributes"])
    losses = figures.training_curves(log, RECIPE).axes[0]
    assert legend_texts(losses) == ["identity", "triplet", "0.5 × cpm", "0.5 × orthogonality"]


def test_training_curves_leave_out_unused_losses_and_missing_validations():
    log = training_log(3)
    log["orthogonality"] = 0.0
    losses, _ = figures.training_curves(log).axes
    assert legend_texts(losses) == ["identity", "triplet", "cpm", "infonce", "attributes"]
    assert len(figures.training_curves(training_log(3, every=5)).axes) == 2
    with pytest.raises(ValueError, match="no epoch"):
        figures.training_curves(pd.DataFrame())


@pytest.mark.parametrize("epochs", [1, 2, 10, 150])
def test_epoch_ticks_are_whole_numbers(epochs):
    for axis in figures.training_curves(training_log(epochs, 1)).axes:
        low, high = axis.get_xlim()
        shown = [tick for tick in axis.get_xticks() if low <= tick <= high]
        assert shown
        assert all(tick == round(tick) for tick in shown)


def test_negative_losses_are_shown():
    log = training_log(3)
    log["orthogonality"] = [0.5, -0.5, -5.0]
    losses = figures.training_curves(log).axes[0]
    assert losses.get_ylim()[0] < -5
    assert np.isfinite(losses.transData.transform([[1, 0.5], [3, -5]])).all()


def test_cmc_curves_say_that_the_epoch_was_chosen_on_the_test_images():
    curve = {"one": np.linspace(10, 60, 20)}
    (axis,) = figures.cmc_curves(curve, select_on="test").axes
    assert axis.get_xlabel() == "rank\nepoch chosen on the test images: too high"
    (axis,) = figures.cmc_curves(curve, select_on="last").axes
    assert axis.get_xlabel() == "rank"


def test_cmc_curves_show_mean_and_range_of_trials():
    trials = np.stack([np.linspace(start, 90, 20) for start in (40, 50, 70)])
    (axis,) = figures.cmc_curves({"ten trials": trials, "one trial": np.linspace(10, 60, 20)}).axes
    assert legend_texts(axis) == ["ten trials", "one trial", "range over trials"]
    np.testing.assert_allclose(axis.lines[0].get_ydata(), trials.mean(0))
    np.testing.assert_allclose(axis.lines[1].get_ydata(), np.linspace(10, 60, 20))
    assert list(axis.lines[0].get_xdata()) == list(range(1, 21))
    band = axis.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (40, 90)
    assert "range over trials" not in legend_texts(figures.cmc_curves({"one": np.linspace(10, 60, 20)}).axes[0])


def test_references_are_thinner_lines_in_the_colour_of_their_curve():
    trials, chance = np.stack([np.linspace(start, 90, 20) for start in (40, 50)]), np.linspace(1, 20, 20)
    references = {"a": {"chance": chance, "raw pixels": 2 * chance}, "b": {"chance": 3 * chance}, "c": {"chance": chance}}
    (axis,) = figures.cmc_curves({"a": trials, "b": trials}, references).axes
    assert legend_texts(axis) == ["a", "b", "chance", "raw pixels", "range over trials"]
    a, chance_a, pixels_a, b, chance_b, *_ = axis.lines
    for line, curve, values in ((chance_a, a, chance), (pixels_a, a, 2 * chance), (chance_b, b, 3 * chance)):
        np.testing.assert_array_equal(line.get_ydata(), values)
        assert line.get_color() == curve.get_color()
        assert line.get_linewidth() < curve.get_linewidth()
    assert chance_a.get_linestyle() == chance_b.get_linestyle() != pixels_a.get_linestyle()


@pytest.mark.parametrize("name", ["curves", "weighted curves", "cmc", "cmc with references"])
def test_legends_are_outside_their_panel(name):
    figure = example(name)
    FigureCanvasAgg(figure).draw()
    for axis in figure.axes:
        if axis.get_legend():
            assert axis.get_legend().get_window_extent().y0 > axis.bbox.y1


def test_many_curves_are_all_drawn_and_distinct():
    names = [f"run {number}" for number in range(20)]
    (axis,) = figures.cmc_curves({name: np.linspace(number, 90, 20) for number, name in enumerate(names)}).axes
    assert legend_texts(axis) == names
    assert len({(line.get_color(), line.get_linestyle()) for line in axis.lines}) == len(names)


def test_only_the_figures_package_imports_matplotlib():
    folder = Path(sys.modules["fsclib"].__file__).parent
    users = {f.parent.name for f in folder.rglob("*.py") if re.search("(import|from) matplotlib", f.read_text())}
    assert users == {"figures"}


def test_effects_show_every_difference_with_both_intervals():
    table = effects_table()
    figure = figures.effects(table)
    axes = [axis for part in figure.subfigs for axis in part.axes]
    assert [part.get_suptitle() for part in figure.subfigs] == list(table["setting"].unique())
    assert [axis.get_title() for axis in axes] == ["rank-1", "mAP", "mINP"] * 2
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["channel", "frequency + channel + spatial"]
    for axis, (_, part) in zip(axes, table.groupby(["setting", "figure"], sort=False), strict=True):
        part = part[part["variant"] != "none"]
        thin, thick, marks = axis.collections
        for lines, low, high in ((thin, "low_seeds", "high_seeds"), (thick, "low", "high")):
            assert [line[:, 0].tolist() for line in lines.get_segments()] == part[[low, high]].to_numpy().tolist()
        assert thin.get_linewidth() < thick.get_linewidth()
        assert marks.get_offsets()[:, 0].tolist() == part["difference"].tolist()
        assert [to_hex(colour).upper() for colour in marks.get_facecolors()] == ["#FFFFFF", style.CYCLE[0]]
        assert axis.lines[0].get_xdata() == [0, 0]
        assert axis.get_xlim()[0] < min(0, part["low_seeds"].min())
        assert axis.get_xlim()[1] > part["high_seeds"].max()
    assert axes[0].get_xlim() == axes[3].get_xlim()
    assert figure.legends[0].get_title().get_text() == "difference to “none”, percentage points"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "95 %, over people", "95 %, over trainings", "significant",
    ]  # fmt: skip


def test_effects_of_one_training_have_one_interval():
    figure = figures.effects(effects_table(["a", "b"], several=False))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["95 %, over people"]


def test_maps_lie_over_their_images_scaled_to_their_own_maxima():
    pictures, maps, captions = map_lines()
    maps[1] = [*maps[1][:-1], np.zeros((6, 3), np.float32)]
    figure = figures.map_sheet(pictures, maps, captions, ["p", "q"], TARGETS, GROUPS)
    *cells, bar = figure.axes
    for line, given, axes in zip(pictures, maps, np.reshape(cells, (2, 11)), strict=True):
        for expected, found, axis in zip(line, given, axes, strict=True):
            image, *over = axis.images
            if found is None:
                np.testing.assert_array_equal(image.get_array(), expected)
                assert not over
                continue
            np.testing.assert_allclose(image.get_array(), expected.mean(2))
            np.testing.assert_allclose(over[0].get_array(), found / max(found.max(), 1e-9))
            assert over[0].get_clim() == (0, 1)
            assert over[0].get_extent() == image.get_extent()
    assert [axis.get_xlabel() for axis in cells[:4]] == ["cam 1"] * 3 + ["cos 0.123"]
    assert [label.get_text() for label in bar.get_xticklabels()] == ["mean or less", "maximum"]


def test_shares_are_drawn_with_their_intervals_and_the_area():
    table = shares_table()
    figure = figures.attention_shares(table)
    grid = np.reshape(figure.axes, (2, 2))
    assert [axis.get_title() for axis in grid[0]] == ["body", "bag"]
    assert [axis.get_ylabel() for axis in grid[:, 0]] == ["visible", "infrared"]
    assert [axis.get_xlabel() for axis in grid[1]] == ["share of attention, %"] * 2
    assert [label.get_text() for label in grid[0, 0].get_yticklabels()] == ["match", "EigenCAM"]
    for modality, axes in zip(("visible", "infrared"), grid, strict=True):
        for kind, axis in zip(("body", "bag"), axes, strict=True):
            for bars, network in zip(axis.containers, "ab", strict=True):
                part = table[(table["modality"] == modality) & (table["kind"] == kind) & (table["network"] == network)]
                np.testing.assert_array_equal(bars.lines[0].get_xdata(), part["share"])
                ends = np.array([segment[:, 0] for segment in bars.lines[2][0].get_segments()])
                np.testing.assert_allclose(ends, part[["low", "high"]])
            assert any(list(line.get_xdata()) == [4, 4] for line in axis.lines)
