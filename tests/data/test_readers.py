"""Readers of the three layouts on sound and broken trees: every problem is found and reported with its place."""

import os
import unicodedata

import pytest
from trees import TREES, append, llcm_tree, regdb_tree, sysu_tree, write

from fsclib.data.layouts import llcm, regdb, sysu
from fsclib.data.records import HARMLESS, INFRARED, MISSING_INDEX, MISSING_ROOT, VISIBLE

READERS = {"sysu": sysu, "regdb": regdb, "llcm": llcm}
VISIBLE_INDEX = {"regdb": "idx/train_visible_1.txt", "llcm": "idx/train_vis.txt"}
indexed = pytest.mark.parametrize("layout", ["regdb", "llcm"])
every_layout = pytest.mark.parametrize("layout", list(READERS))


def places(problems):
    return [(problem.kind, problem.path, problem.line) for problem in problems]


def read_sound(layout, root):
    records, problems = READERS[layout].read(root)
    assert [problem for problem in problems if problem.kind not in HARMLESS] == []
    return records


# --- sound trees ---------------------------------------------------------------------------------------------------


def test_sysu_merges_training_and_validation_sorted_by_identity_and_camera(tmp_path):
    records = read_sound("sysu", sysu_tree(tmp_path))
    training = records[records["split"] != "test"]
    assert list(training[["identity", "camera"]].drop_duplicates().itertuples(index=False, name=None)) == [
        (identity, camera) for identity in (2, 5, 10) for camera in range(1, 7)
    ]
    assert set(records.loc[records["split"] == "val", "identity"]) == {5}
    assert set(records.loc[records["split"] == "test", "identity"]) == {1, 7}
    assert set(records.loc[records["modality"] == INFRARED, "camera"]) == {3, 6}
    assert set(records.loc[records["modality"] == VISIBLE, "camera"]) == {1, 2, 4, 5}
    assert records["path"].tolist()[:2] == ["cam1/0002/0001.jpg", "cam1/0002/0002.jpg"]


def test_sysu_identities_need_not_appear_on_every_camera(tmp_path):
    root = sysu_tree(tmp_path)
    for number in (1, 2):
        (root / f"cam4/0002/{number:04d}.jpg").unlink()
    (root / "cam4/0002").rmdir()
    records = read_sound("sysu", root)
    assert set(records.loc[records["identity"] == 2, "camera"]) == {1, 2, 3, 5, 6}


def test_regdb_keeps_the_order_of_its_index_files(tmp_path):
    root = regdb_tree(tmp_path)
    lines = ["Visible/2/v_1.bmp 7", "Visible/1/v_0.bmp 3", "Visible/2/v_0.bmp 7"]
    write(root, "idx/train_visible_1.txt", "\n".join(lines))
    records = read_sound("regdb", root)
    assert records["path"].tolist()[:3] == [line.split()[0] for line in lines]
    assert records["identity"].tolist()[:3] == [7, 3, 7]
    assert set(zip(records["modality"], records["camera"], strict=True)) == {(VISIBLE, 1), (INFRARED, 2)}
    assert records["split"].tolist() == ["train"] * 7 + ["test"] * 8


def test_regdb_trials_are_read_from_their_own_files(tmp_path):
    regdb_tree(tmp_path, trial=1, people=2)
    regdb_tree(tmp_path, trial=10, people=3)
    assert len(regdb.read(tmp_path, 1)[0]) == 2 * 2 * 2 * 2
    assert len(regdb.read(tmp_path, 10)[0]) == 2 * 2 * 3 * 2
    assert {problem.kind for problem in regdb.read(tmp_path, 2)[1]} == {MISSING_INDEX}


@pytest.mark.parametrize("trial", [0, 11, -1, "1", None])
def test_regdb_trial_out_of_range(tmp_path, trial):
    with pytest.raises(ValueError, match="from 1 to 10"):
        regdb.read(regdb_tree(tmp_path), trial)


def test_llcm_reads_cameras_from_training_names_and_test_folders(tmp_path):
    root = llcm_tree(tmp_path)
    write(root, "vis/0003/unnamed.jpg")
    append(root, "idx/train_vis.txt", "vis/0003/unnamed.jpg 3")
    records = read_sound("llcm", root)
    training = records[records["split"] == "train"]
    assert training.loc[training["modality"] == VISIBLE, "camera"].tolist() == [1, 3, 9, 1, 3, 9, 0]
    assert training.loc[training["modality"] == INFRARED, "camera"].tolist() == [1, 9, 1, 9]
    test = records[records["split"] == "test"]
    for modality, cameras in ((VISIBLE, (1, 3, 9)), (INFRARED, (1, 9))):
        found = test[test["modality"] == modality]
        assert list(found[["identity", "camera"]].drop_duplicates().itertuples(index=False, name=None)) == [
            (identity, camera) for identity in (4, 20) for camera in cameras
        ]
        assert all(f"/cam{row.camera}/{row.identity:04d}/" in row.path for row in found.itertuples())


@every_layout
def test_reading_twice_gives_the_same_table(tmp_path, layout):
    root = TREES[layout](tmp_path)
    assert read_sound(layout, root).equals(read_sound(layout, root))


@pytest.mark.parametrize(("layout", "folder"), [("sysu", "cam5/0010"), ("llcm", "test_vis/cam9/0020")])
def test_images_of_a_folder_are_sorted_by_name(tmp_path, layout, folder):
    root = TREES[layout](tmp_path)
    for number in (17, 4, 11, 30, 8, 25, 3, 19):
        write(root, f"{folder}/x{number:02d}.jpg")
    found = [path for path in read_sound(layout, root)["path"] if path.startswith(folder)]
    assert len(found) == 10
    assert found == sorted(found)


@pytest.mark.parametrize("layout", ["sysu", "llcm"])
def test_folders_may_hold_other_files_and_capital_extensions(tmp_path, layout):
    root = TREES[layout](tmp_path)
    before = set(read_sound(layout, root)["path"])
    folder = {"sysu": "cam1/0002", "llcm": "test_vis/cam1/0004"}[layout]
    write(root, f"{folder}/9999.JPG")
    for name in ("Thumbs.db", ".DS_Store", "._0001.jpg", "notes.txt"):
        write(root, f"{folder}/{name}", b"")
    write(root, "corpus.json", "{}")
    write(root, "attributes.csv", "identity\n")
    assert set(read_sound(layout, root)["path"]) - before == {f"{folder}/9999.JPG"}


@indexed
def test_index_files_from_other_systems_read_the_same(tmp_path, layout):
    root = TREES[layout](tmp_path)
    before = read_sound(layout, root)
    index = root / VISIBLE_INDEX[layout]
    text = index.read_text().replace("/", "\\").replace("\n", " \r\n\r\n")
    index.write_bytes(b"\xef\xbb\xbf./" + text.encode())
    assert read_sound(layout, root).equals(before)


@indexed
def test_file_names_may_hold_spaces_and_any_letters(tmp_path, layout):
    root = TREES[layout](tmp_path)
    index = VISIBLE_INDEX[layout]
    path = "more images/a  b\u2028人.jpg"  # str.splitlines would break this name
    write(root, path)
    append(root, index, f"{path} 3")
    records = read_sound(layout, root)
    assert records.loc[records["path"] == path, "identity"].tolist() == [3]


@indexed
@pytest.mark.parametrize(("listed", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_in_another_unicode_normal_form_is_reported(tmp_path, layout, listed, on_disk):
    root = TREES[layout](tmp_path)
    listed, on_disk = (unicodedata.normalize(form, "more/né.jpg") for form in (listed, on_disk))
    write(root, on_disk)
    line = append(root, VISIBLE_INDEX[layout], f"{listed} 3")
    _, problems = READERS[layout].read(root)
    assert places(problems) == [("missing image", VISIBLE_INDEX[layout], line)]
    assert f"does not exist, but {on_disk!a} does" in problems[0].found
    assert "NFC and NFD" in problems[0].fix


def test_id_lists_may_span_lines_and_end_in_a_comma(tmp_path):
    root = sysu_tree(tmp_path)
    before = read_sound("sysu", root)
    write(root, "exp/train_id.txt", b"\xef\xbb\xbf2,\r\n 10,\r\n\r\n")
    assert read_sound("sysu", root).equals(before)


# --- missing parts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "owner"),
    [("sysu", "Sun Yat-sen University"), ("regdb", "Dongguk University"), ("llcm", "Xiamen University")],
)
def test_a_missing_data_set_names_its_owner_and_the_synthetic_substitute(tmp_path, layout, owner):
    records, problems = READERS[layout].read(tmp_path / "nowhere")
    assert len(records) == 0
    assert places(problems) == [(MISSING_ROOT, str(tmp_path / "nowhere"), None)]
    assert owner in problems[0].fix
    assert "signed request" in problems[0].fix
    assert f"python -m synthpeople --layout {layout} --out" in problems[0].fix


@every_layout
def test_a_file_in_place_of_the_data_set_counts_as_missing(tmp_path, layout):
    write(tmp_path, "archive", "zip")
    assert places(READERS[layout].read(tmp_path / "archive")[1]) == [(MISSING_ROOT, str(tmp_path / "archive"), None)]


@every_layout
def test_all_missing_index_files_are_named_at_once(tmp_path, layout):
    root = TREES[layout](tmp_path)
    indexes = sorted(str(file.relative_to(root)) for file in root.rglob("*.txt"))
    for index in indexes:
        (root / index).unlink()
    records, problems = READERS[layout].read(root)
    assert len(records) == 0
    assert sorted(places(problems)) == [(MISSING_INDEX, index, None) for index in indexes]


@pytest.mark.parametrize(
    ("layout", "index"),
    [("sysu", "exp/test_id.txt"), ("sysu", "exp/train_id.txt"), ("sysu", "exp/val_id.txt"), ("llcm", "idx/test_id.txt")],
)
def test_an_identity_without_images_is_reported(tmp_path, layout, index):
    root = TREES[layout](tmp_path)
    line = append(root, index, ",444")
    assert ("missing identity", index, line) in places(READERS[layout].read(root)[1])


@pytest.mark.parametrize(("layout", "folder"), [("sysu", "cam6"), ("llcm", "test_nir")])
def test_a_missing_folder_of_images_is_reported(tmp_path, layout, folder):
    root = TREES[layout](tmp_path)
    (root / folder).rename(tmp_path / "elsewhere")
    records, problems = READERS[layout].read(root)
    assert places(problems) == [("missing folder", folder, None)]
    assert len(records) > 0


def test_a_missing_index_file_does_not_hide_other_problems(tmp_path):
    for layout, index, other in (
        ("sysu", "exp/train_id.txt", "exp/test_id.txt"),
        ("regdb", "idx/test_thermal_1.txt", "idx/train_visible_1.txt"),
        ("llcm", "idx/test_id.txt", "idx/train_nir.txt"),
    ):
        root = TREES[layout](tmp_path / layout)
        (root / index).unlink()
        line = append(root, other, "?")
        found = places(READERS[layout].read(root)[1])
        assert (MISSING_INDEX, index, None) in found
        assert {(path, number) for _, path, number in found} == {(index, None), (other, line)}


@every_layout
def test_a_pipe_in_place_of_an_index_file_does_not_block(tmp_path, layout):
    root = TREES[layout](tmp_path)
    index = {"sysu": "exp/val_id.txt", **VISIBLE_INDEX}[layout]
    (root / index).unlink()
    os.mkfifo(root / index)
    assert places(READERS[layout].read(root)[1]) == [(MISSING_INDEX, index, None)]


@every_layout
@pytest.mark.parametrize("content", ["", "\n \r\n"])
def test_an_empty_index_file_is_reported(tmp_path, layout, content):
    root = TREES[layout](tmp_path)
    index = {"sysu": "exp/val_id.txt", **VISIBLE_INDEX}[layout]
    write(root, index, content)
    assert places(READERS[layout].read(root)[1]) == [("empty index file", index, None)]


@pytest.mark.parametrize(("lost", "reported"), [("test_nir/cam9", True), ("test_vis/cam9", True), ("test_vis/cam3", False)])
def test_a_missing_modality_of_an_llcm_camera_is_reported(tmp_path, lost, reported):
    """Not for camera 3, which has no infrared test images."""
    root = llcm_tree(tmp_path / "root")
    (root / lost).rename(tmp_path / "elsewhere")
    assert places(llcm.read(root)[1]) == [("missing folder", lost, None)] * reported


# --- broken parts --------------------------------------------------------------------------------------------------

BROKEN_LINES = [
    ("label.jpg", "no label"),
    ("one two.jpg", "bad label"),
    ("vis/a.jpg 3.0", "bad label"),
    ("vis/a.jpg -3", "bad label"),
    ("vis/a.jpg ²", "bad label"),
    ("vis/a.jpg 99999999999999999999", "bad label"),
    ("vis/nowhere.jpg 3", "missing image"),
    ("idx 3", "missing image"),  # a folder
    ("vis/" + 300 * "x" + ".jpg 3", "missing image"),  # longer than file systems allow
    ("empty.jpg 3", "empty image"),
    ("/etc/hostname 3", "unsafe path"),
    ("C:\\images\\a.jpg 3", "unsafe path"),
    ("\\\\server\\a.jpg 3", "unsafe path"),
    ("../outside.jpg 3", "unsafe path"),
    ("vis/../../outside.jpg 3", "unsafe path"),
    ("vis\\..\\..\\outside.jpg 3", "unsafe path"),
]


@indexed
@pytest.mark.parametrize(("text", "kind"), BROKEN_LINES)
def test_a_broken_line_is_reported_and_skipped(tmp_path, layout, text, kind):
    write(tmp_path, "outside.jpg")
    root = TREES[layout](tmp_path / "root")
    before = read_sound(layout, root)
    write(root, "empty.jpg", b"")
    line = append(root, VISIBLE_INDEX[layout], text)
    records, problems = READERS[layout].read(root)
    assert places(problems) == [(kind, VISIBLE_INDEX[layout], line)]
    assert problems[0].found
    assert problems[0].fix
    assert records.equals(before)


@indexed
def test_all_broken_lines_are_listed_at_once(tmp_path, layout):
    root = TREES[layout](tmp_path)
    before = read_sound(layout, root)
    write(root, "empty.jpg", b"")
    expected = [(kind, VISIBLE_INDEX[layout], append(root, VISIBLE_INDEX[layout], text)) for text, kind in BROKEN_LINES]
    records, problems = READERS[layout].read(root)
    assert places(problems) == expected
    assert records.equals(before)


@indexed
def test_a_repeated_line_is_kept_once(tmp_path, layout):
    root = TREES[layout](tmp_path)
    before = read_sound(layout, root)
    index = VISIBLE_INDEX[layout]
    path, label = before.loc[0, ["path", "identity"]]
    line = append(root, index, f"./{path} {label}")
    records, problems = READERS[layout].read(root)
    assert places(problems) == [("listed twice", index, line)]
    assert f"{index}:1" in problems[0].found
    assert records.equals(before)


@indexed
def test_a_path_with_two_labels_is_dropped_entirely(tmp_path, layout):
    root = TREES[layout](tmp_path)
    before = read_sound(layout, root)
    path, label = before.loc[0, ["path", "identity"]]
    line = append(root, VISIBLE_INDEX[layout], f"{path} {label + 1}")
    records, problems = READERS[layout].read(root)
    assert places(problems) == [("contradiction", VISIBLE_INDEX[layout], line)]
    assert records.equals(before.iloc[1:].reset_index(drop=True))


def test_a_path_in_both_training_and_test_is_a_contradiction(tmp_path):
    root = regdb_tree(tmp_path)
    path, label = regdb.read(root)[0].loc[0, ["path", "identity"]]
    line = append(root, "idx/test_visible_1.txt", f"{path} {label}")
    records, problems = regdb.read(root)
    assert places(problems) == [("contradiction", "idx/test_visible_1.txt", line)]
    assert path not in set(records["path"])


@indexed
def test_index_lines_that_are_not_utf_8_are_reported(tmp_path, layout):
    root = TREES[layout](tmp_path)
    before = read_sound(layout, root)
    index = VISIBLE_INDEX[layout]
    file = root / index
    lines = len(file.read_bytes().splitlines())
    file.write_bytes(file.read_bytes() + b"vis/caf\xe9.jpg 3\n")
    records, problems = READERS[layout].read(root)
    assert places(problems) == [("unreadable line", index, lines + 1)]
    assert records.equals(before)

    file.write_bytes("vis/a.jpg 3\n".encode("utf-16"))
    assert places(READERS[layout].read(root)[1]) == [("unreadable line", index, None)]


@pytest.mark.parametrize(("layout", "index"), [("sysu", "exp/test_id.txt"), ("llcm", "idx/test_id.txt")])
def test_a_long_list_of_identities_needs_few_folder_scans(tmp_path, monkeypatch, layout, index):
    root = TREES[layout](tmp_path)
    (root / index).write_text(",".join(map(str, range(10_000, 40_000))))
    scanned, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: scanned.append(folder) or scandir(folder))
    _, problems = READERS[layout].read(root)
    assert len(problems) >= 30_000
    assert len(scanned) < 100
    (root / index).write_text(",".join(map(str, range(200_000))))
    _, problems = READERS[layout].read(root)
    assert "bytes, expected at most 1,048,576" in next(problem.found for problem in problems if problem.path == index)


@pytest.mark.parametrize(("layout", "index"), [("sysu", "exp/test_id.txt"), ("llcm", "idx/test_id.txt")])
def test_bad_identities_in_a_list_are_reported(tmp_path, layout, index):
    root = TREES[layout](tmp_path)
    before = read_sound(layout, root)
    first = str(before.loc[before["split"] == "test", "identity"].iloc[0])
    line = append(root, index, f",x7,{first},-2")
    records, problems = READERS[layout].read(root)
    assert places(problems) == [("bad identity", index, line), ("listed twice", index, line), ("bad identity", index, line)]
    assert records.equals(before)


def test_a_sysu_identity_belongs_to_one_split(tmp_path):
    root = sysu_tree(tmp_path)
    before = read_sound("sysu", root)
    line = append(root, "exp/test_id.txt", ",10")
    records, problems = sysu.read(root)
    assert places(problems) == [("contradiction", "exp/test_id.txt", line)]
    assert "exp/train_id.txt:1" in problems[0].found
    assert records.equals(before)


@pytest.mark.parametrize(("layout", "folder"), [("sysu", "cam3/0007"), ("llcm", "test_nir/cam9/0020")])
def test_broken_files_in_folders_are_reported(tmp_path, layout, folder):
    root = TREES[layout](tmp_path)
    before = read_sound(layout, root)
    write(root, f"{folder}/a_empty.jpg", b"")
    (root / f"{folder}/b_link.jpg").symlink_to(tmp_path / "gone.jpg")
    (root / f"{folder}/c_folder.jpg").mkdir()
    records, problems = READERS[layout].read(root)
    assert sorted(places(problems)) == [
        ("empty image", f"{folder}/a_empty.jpg", None),
        ("missing image", f"{folder}/b_link.jpg", None),
        ("missing image", f"{folder}/c_folder.jpg", None),
    ]
    assert records.equals(before)


def test_a_file_name_that_is_not_utf_8_is_reported(tmp_path):
    root = sysu_tree(tmp_path)
    before = read_sound("sysu", root)
    try:
        (root / "cam1/0002" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system allows UTF-8 names only")
    records, problems = sysu.read(root)
    assert places(problems) == [("unreadable name", "cam1/0002", None)]
    assert str(problems[0]).encode("utf-8")
    assert records.equals(before)


@indexed
def test_a_zero_byte_makes_only_its_own_line_unreadable(tmp_path, layout):
    root = TREES[layout](tmp_path)
    before = read_sound(layout, root)
    index = VISIBLE_INDEX[layout]
    line = append(root, index, "vis/a\0b.jpg 3")
    records, problems = READERS[layout].read(root)
    assert places(problems) == [("unreadable line", index, line)]
    assert records.equals(before)


@pytest.mark.parametrize(("layout", "folder"), [("sysu", "cam3/0007"), ("llcm", "test_nir/cam9/0020")])
@pytest.mark.parametrize("make", [lambda path: path.touch(), lambda path: path.symlink_to(path.name)])
def test_a_file_or_looping_link_in_place_of_a_folder_is_reported(tmp_path, layout, folder, make):
    root = TREES[layout](tmp_path / "root")
    (root / folder).rename(tmp_path / "elsewhere")
    make(root / folder)
    assert places(READERS[layout].read(root)[1]) == [("unreadable folder", folder, None)]
