"""Every figure shows what it was given, all of it, with nothing cut off or on top of something else."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from fsclib import figures
from fsclib.figures import curves, sheets, style
from fsclib.spectrum import radial_profile


def picture(seed=0, height=24, width=12):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def training_log(epochs, every=0):
    """A log as training leaves it, with a validation every so many epochs."""
    epoch = np.arange(epochs)
    log = pd.DataFrame({"epoch": epoch, "lr": 0.1 / (epoch + 1), "total": 3.0})
    for number, part in enumerate(curves.LOSSES):
        log[part] = (number + 1) / (epoch + 1)
    if every:
        validated = (epoch + 1) % every == 0
        for name, value in (("val_rank1", 60.0), ("val_map", 50.0), ("val_minp", 40.0)):
            log[name] = np.where(validated, value, np.nan)
    return log


def difference_of(profile):
    """A difference as spectrum.difference returns it, at the frequencies of a profile."""
    decibel = np.linspace(3, -2, len(profile))
    return pd.DataFrame({"frequency": profile["frequency"], "decibel": decibel, "low": decibel - 1, "high": decibel + 0.5})


def leak_table():
    """A table as leakage.table returns it, with accuracies 10, 20, … in its order."""
    names = ["nearest neighbour, one left out", "nearest neighbour, halves", "logistic regression, halves"]
    kinds = [(m, p, c) for m in ("visible", "infrared") for p in ("border", "whole image") for c in names]
    table = pd.DataFrame(kinds, columns=["modality", "pixels", "classifier"])
    table["accuracy"] = 8.0 * np.arange(len(table)) + 1
    return table.assign(low=table["accuracy"] - 1, high=table["accuracy"] + 3, chance=5.0)


def effects_table(variants=("none", "channel", "frequency + channel + spatial"), several=True):
    """Effects as compare returns them: differences 1, 2, … in its order, the last of each panel shown."""
    settings = ["paper, visible → infrared", "as-coded, visible → infrared"]
    kinds = [(s, f, v) for s in settings for f in ("rank1", "map", "minp") for v in variants]
    table = pd.DataFrame(kinds, columns=["setting", "figure", "variant"])
    table["difference"] = np.where(table["variant"] == variants[0], np.nan, np.arange(len(table)))
    table = table.assign(low=table["difference"] - 1, high=table["difference"] + 2, shown=table["variant"] == variants[-1])
    return table.assign(low_seeds=table["low"] - 1 if several else np.nan, high_seeds=table["high"] + 2 if several else np.nan)


def examples():
    spectrum = {name: np.random.default_rng(0).random((24, 12)) + 1 for name in ("visible", "infrared")}
    profiles = {name: radial_profile(amplitude) for name, amplitude in spectrum.items()}
    right = [[True, False] * 5, [False] * 3]
    return {
        "grouped sheet": figures.sample_sheet(
            [[picture()] * 17] * 2,
            ["person 1", "person 713\ncams 1, 2"],
            [f"cam {i}" for i in [*range(1, 10), 1, 2, *range(4, 10)]],
            ["visible"] * 9 + ["infrared"] * 8,
        ),
        "two columns": figures.sample_sheet([[picture()] * 2], ["person 1"], ["cam 1", "cam 2"], ["visible", "infrared"]),
        "leak": figures.leak(leak_table()),
        "nothing to leak": figures.leak(leak_table().assign(accuracy=np.nan, low=np.nan, high=np.nan, chance=np.nan)),
        "sheet": figures.sample_sheet([[picture()] * 12] * 2, ["visible", "infrared"], [f"camera {i}" for i in range(12)]),
        "small sheet": figures.sample_sheet([[picture(), None]], ["identity 12\nvisible"], ["camera 1", "camera 2"]),
        "spectra": figures.spectra(spectrum, profiles, difference_of(profiles["visible"])),
        "curves": figures.training_curves(training_log(150, 5)),
        "curves without validation": figures.training_curves(training_log(10)),
        "one epoch": figures.training_curves(training_log(1, 1)),
        "cmc": figures.cmc_curves({"a": np.linspace(40, 90, 20), "b": np.linspace([20, 30], [70, 90], 20).T}),
        "effects": figures.effects(effects_table()),
        "one effect": figures.effects(effects_table(["two", "one"], several=False)),
        "no effect": figures.effects(effects_table().assign(**dict.fromkeys(("low", "high", "low_seeds", "high_seeds"), 0.0))),
        "ranked": figures.ranked_lists([picture()] * 2, [[picture(1)] * 10, [picture(2)] * 3], right, ["identity 1", "b"]),
    }


EXAMPLES = examples()


def legend_texts(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_figure_is_written_and_shown(name, tmp_path):
    figure = EXAMPLES[name]
    assert isinstance(figure, Figure)
    for kind, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF-")):
        figure.savefig(tmp_path / f"a.{kind}", bbox_inches="tight")
        assert (tmp_path / f"a.{kind}").read_bytes().startswith(magic)
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_text_is_cut_off_or_on_top_of_another(name, monkeypatch):
    figure, boxes, draw = EXAMPLES[name], [], Text.draw

    def noted(text, renderer):
        draw(text, renderer)
        if text.get_text().strip() and text.get_visible():
            boxes.append((text.get_text(), text.get_window_extent(renderer)))

    monkeypatch.setattr(Text, "draw", noted)
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
    # the last column starts a group: its name stands again
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


def test_training_curves_leave_out_what_was_not_there():
    log = training_log(3)
    log["orthogonality"] = 0.0
    losses, _ = figures.training_curves(log).axes
    assert legend_texts(losses) == ["identity", "triplet", "cpm"]
    assert len(figures.training_curves(training_log(3, every=5)).axes) == 2
    with pytest.raises(ValueError, match="no epoch"):
        figures.training_curves(pd.DataFrame())


@pytest.mark.parametrize("epochs", [1, 2, 10, 150])
def test_epochs_are_whole_numbers(epochs):
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


def test_many_curves_are_all_there_and_differ():
    names = [f"run {number}" for number in range(20)]
    (axis,) = figures.cmc_curves({name: np.linspace(number, 90, 20) for number, name in enumerate(names)}).axes
    assert legend_texts(axis) == names
    assert len({(line.get_color(), line.get_linestyle()) for line in axis.lines}) == len(names)


def test_nothing_else_imports_matplotlib():
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
    assert axes[4].get_xlabel() == "difference to “none”, percentage points"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "95 %, other people", "95 %, other people and trainings", "interval excludes 0",
    ]  # fmt: skip


def test_effects_of_one_training_have_one_interval():
    figure = figures.effects(effects_table(["a", "b"], several=False))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["95 %, other people", "interval excludes 0"]
