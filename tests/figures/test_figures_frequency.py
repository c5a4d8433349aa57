"""Figures of notebook 04 show what the analyses return, at the right frequencies and on common scales."""

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from spectra import VIEWS, attended, equal_gates, measured

from fsclib import figures
from fsclib.analysis.frequency import before_after, gates
from fsclib.figures import style

VIEW = {"view 1": VIEWS["view 1"]}


def bands(axis):
    return [(part.get_paths()[0].vertices[:, 1].min(), part.get_paths()[0].vertices[:, 1].max()) for part in axis.collections]


def test_module_spectra_share_a_scale_and_outline_the_box():
    found = measured(VIEW, 24, 9)
    pictures = before_after.pictures(found)
    *axes, bar = figures.module_spectra(pictures, before_after.boxes(found)).axes
    flat = [(modality, name, log) for modality, line in pictures["view 1"].items() for name, log in line.items()]
    names = [axis.get_title() for axis in axes]
    assert names == [f"{m}\n{n}" for m in ("visible", "infrared") for n in ("before", "FSA", "GCA", "ST")]
    assert len({axis.images[0].get_clim() for axis in axes}) == 1
    for axis, (modality, _, log) in zip(axes, flat, strict=True):
        image = axis.images[0]
        np.testing.assert_array_equal(image.get_array(), log)
        assert image.origin == "lower"
        assert image.get_extent() == [-4.5, 4.5, -12.5, 11.5]  # zero in the middle of its pixel
        assert axis.title.get_color() == style.COLOURS[modality]
        (box,) = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
        # rows 6 to 17 and columns 2 to 5 of the map: −6 … 5 cycles per height, −2 … 1 per width
        assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (-2.5, -6.5, 4, 12)
    assert "log" in bar.get_ylabel()


def test_an_empty_box_is_not_drawn():
    found = measured(VIEW, 6, 3)
    figure = figures.module_spectra(before_after.pictures(found), before_after.boxes(found))
    assert not [patch for axis in figure.axes[:-1] for patch in axis.patches]


def test_radial_curves_match_the_tables_with_their_bands():
    found = measured(VIEW, 24, 9)
    profiles, transfers = before_after.profiles(found), before_after.transfers(found)
    axes = figures.radial(profiles, transfers).axes
    assert [axis.get_title() for axis in axes] == ["visible", "infrared"] * 2
    panels = [curves["view 1"][modality] for curves in (profiles, transfers) for modality in ("visible", "infrared")]
    for axis, expected in zip(axes, panels, strict=True):
        lines = [line for line in axis.lines if len(line.get_xdata()) == 13]
        for line, band, (name, table) in zip(lines, bands(axis), expected.items(), strict=True):
            assert line.get_label() == name.removeprefix("view 1 ")
            np.testing.assert_array_equal(line.get_xdata(), table["frequency"])
            np.testing.assert_array_equal(line.get_ydata(), table["mean"])
            assert band == (table["low"].min(), table["high"].max())
        assert "cycles per image height" in axis.get_xlabel()
    assert axes[0].get_yscale() == "log"
    before, first, *_ = axes[0].lines
    assert first.get_color() != before.get_color()
    assert first.get_color() == axes[2].lines[0].get_color()  # FSA, before and after
    assert axes[2].get_ylim()[0] == 0


def test_without_a_module_no_transfer_is_drawn():
    found = measured({"layer1": ["layer1"]}, 24, 9)
    axes = figures.radial(before_after.profiles(found), before_after.transfers(found)).axes
    assert [axis.get_ylabel() for axis in axes] == ["energy |F|²", ""]


def test_the_pooled_ratio_is_drawn_with_what_scaling_alone_would_give():
    found = measured(VIEWS, 24, 9)
    pooled = before_after.pooled_transfers(found)
    axes = figures.pooled_transfers(pooled).axes
    panels = [(view, modality) for view in VIEWS for modality in ("visible", "infrared")]
    assert [axis.get_title() for axis in axes] == [f"{view}\n{modality}" for view, modality in panels]
    for axis, (view, modality) in zip(axes, panels, strict=True):
        lines = [line for line in axis.lines if len(line.get_xdata()) == 13]
        for number, name in enumerate(VIEWS[view][1:]):
            for line, kind in zip(lines[2 * number :], ("pooled", "scaling only"), strict=False):
                np.testing.assert_array_equal(line.get_ydata(), pooled[kind][view][modality][name]["mean"])


def test_gaps_are_drawn_with_their_intervals_and_one_scale():
    found = measured(VIEWS, 24, 9)
    gaps = before_after.gaps(found, seed=0)
    axes = figures.gap_by_radius(gaps).axes
    assert [axis.get_title() for axis in axes] == ["input", "view 1", "view 2"]
    for axis, points in zip(axes, gaps.values(), strict=True):
        for line, band, table in zip(axis.lines, bands(axis), points.values(), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), table["distance"])
            assert band == (table["low"].min(), table["high"].max())
        assert axis.get_ylim() == axes[0].get_ylim()


def test_gate_histograms_hold_all_gates():
    group = {"view 1 FSA": {"visible": attended(seed=1), "infrared": attended(seed=2)}}
    axes = figures.gate_histograms(gates.histograms(group)).axes
    assert [axis.get_xlabel() for axis in axes] == ["w_R", "w_I", "w_R − w_I"]
    for axis in axes:
        colours = {to_hex(patch.get_edgecolor()).upper() for patch in axis.patches}
        assert colours == {style.COLOURS["visible"], style.COLOURS["infrared"]}
        for patch in axis.patches:
            heights = patch.get_xy()[1:-1:2, 1]
            assert round(heights.sum(), 6) == 100


def test_gains_are_drawn_between_their_two_gates():
    group = {"visible": attended(seed=1)}
    example, places = gates.examples(group, "view 1 FSA")
    axis, histogram = figures.gains(example, places).axes
    table = example["view 1 FSA, visible"]
    free, fixed = axis.collections
    np.testing.assert_array_equal(free.get_offsets(), table.loc[~table["fixed"], ["radius", "gain"]])
    np.testing.assert_array_equal(fixed.get_offsets(), table.loc[table["fixed"], ["radius", "gain"]])
    assert [line.get_ydata()[0] for line in axis.lines] == [table["real"][0], table["imaginary"][0]]
    assert round(histogram.patches[0].get_xy()[1:-1:2, 1].sum(), 6) == 100


def test_rounding_errors_of_equal_gates_are_not_magnified():
    axis, histogram = figures.gains(*gates.examples({"visible": equal_gates()}, "view 1 FSA")).axes
    low, high = axis.get_ylim()
    assert high - low > 0.005
    assert "none" in histogram.texts[0].get_text()
