"""Sample sheets show the people, cameras and walks that their labels name."""

import numpy as np
import pandas as pd
import pytest

from fsclib.analysis import samples
from fsclib.data.images import open_images

ACROSS = {"sysu": (2, [1, 2, 4, 5], [3, 6]), "regdb": (6, [1], [2]), "llcm": (1, None, None)}


def shown(images, picture):
    """Records whose image equals a picture."""
    return images.records[[np.array_equal(picture, other) for other in images.take(np.arange(len(images.records)))]]


@pytest.mark.parametrize("dataset", list(ACROSS))
def test_a_sheet_has_people_by_cameras(home, dataset):
    images = open_images(dataset, (48, 24), workers=1, show=False)
    sheet = samples.sheet(images, "test", people=3, seed=1)
    each, visible, infrared = ACROSS[dataset]
    assert len(sheet.pictures) == len(sheet.rows) == 3
    assert all(len(line) == len(sheet.columns) == len(sheet.groups) for line in sheet.pictures)
    if visible:
        assert sheet.columns == [f"cam {camera}" for camera in visible + infrared for _ in range(each)]
        assert sheet.groups == ["visible"] * each * len(visible) + ["infrared"] * each * len(infrared)
    for line, row in zip(sheet.pictures, sheet.rows, strict=True):
        for picture, column, group in zip(line, sheet.columns, sheet.groups, strict=True):
            if picture is not None:
                found = shown(images, picture)
                assert f"person {found['identity'].iloc[0]}" == row
                assert f"cam {found['camera'].iloc[0]}" == column
                assert set(found["modality"]) == {group}
                assert set(found["split"]) == {"test"}
        for group in ("visible", "infrared"):
            assert any(p is not None for p, g in zip(line, sheet.groups, strict=True) if g == group)


def test_an_empty_cell_is_a_camera_that_never_saw_the_person(home):
    images = open_images("llcm", (48, 24), workers=1, show=False)
    records = images.records[images.records["split"] == "test"]
    seen = set(zip(records["identity"], records["modality"], records["camera"], strict=True))
    sheet = samples.sheet(images, "test", people=10, seed=0)
    places = {
        (int(row.split()[1]), group, int(column.split()[1])): picture is not None
        for line, row in zip(sheet.pictures, sheet.rows, strict=True)
        for picture, column, group in zip(line, sheet.columns, sheet.groups, strict=True)
    }
    assert {place for place, there in places.items() if there} == {place for place in places if place in seen}
    assert not all(places.values())


def test_a_walk_is_the_first_images_of_one_person_at_one_camera(home):
    images = open_images("regdb", (48, 24), workers=1, show=False)
    sheet = samples.walk_sheet(images, "test", people=2, seed=1, length=4)
    assert sheet.columns == ["1", "2", "3", "4"] * 2
    assert sheet.groups == ["visible"] * 4 + ["infrared"] * 4
    for line, row in zip(sheet.pictures, sheet.rows, strict=True):
        who = int(row.split()[1])
        assert row == f"person {who}\ncams 1, 2"
        for modality, pictures in (("visible", line[:4]), ("infrared", line[4:])):
            records = images.records
            ours = (records["split"] == "test") & (records["identity"] == who) & (records["modality"] == modality)
            rows = np.flatnonzero(ours)  # RegDB's training people have the same numbers
            np.testing.assert_array_equal(np.stack(pictures), images.take(rows[np.argsort(records["path"].to_numpy()[rows])][:4]))


def test_a_walk_is_the_longest_one_and_short_rows_are_padded(home):
    images = open_images("llcm", (48, 24), workers=1, show=False)
    sheet = samples.walk_sheet(images, "test", people=1, seed=1)
    who = int(sheet.rows[0].split()[1])
    records = images.records
    ours = (records["split"] == "test") & (records["identity"] == who) & (records["modality"] == "visible")
    camera = records.loc[ours, "camera"].max()  # the other cameras, and all infrared ones, keep one picture each
    first = ~records.duplicated(["identity", "modality", "camera"])
    kept = np.flatnonzero(first | (ours & (records["camera"] == camera)))
    fewer = samples.walk_sheet(_only(images, kept), "test", people=1, seed=1)
    assert fewer.rows[0].split("cams ")[1].split(",")[0] == str(camera)
    assert fewer.columns == ["1", "2"] * 2
    assert [picture is None for picture in fewer.pictures[0]] == [False, False, False, True]


def _only(images, rows):
    from dataclasses import replace

    records = images.records.iloc[rows].reset_index(drop=True)
    return replace(images, place=images.place[rows], dataset=replace(images.dataset, records=records))


def test_numbers_in_names_are_sorted_by_value():
    paths = ["cam2/0007/a_f1000.jpg", "cam2/0007/a_f900.jpg", "cam10/0001/a_f1.jpg", "cam2/0007/a_f0950.jpg"]
    records = pd.DataFrame({"path": paths})
    assert samples.in_order(records, np.arange(4)).tolist() == [1, 3, 0, 2]
    assert samples.in_order(records, np.array([2, 0])).tolist() == [0, 2]
    assert samples.in_order(records, np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("length", "number", "expected"),
    [(10, 6, [0, 2, 4, 5, 7, 9]), (10, 1, [0]), (3, 6, [0, 1, 2]), (0, 2, []), (5, 2, [0, 4])],
)
def test_spread_is_even_and_includes_the_ends(length, number, expected):
    assert samples.spread(np.arange(length), number).tolist() == expected
