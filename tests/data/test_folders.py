"""Folders of cameras: every file that is not read is named, and an empty or misnamed folder is a problem with its remedy."""

import os

import pytest
from trees import TREES, llcm_tree, sysu_tree, write

from fsclib.data.datasets import open_dataset
from fsclib.data.layouts import llcm, sysu
from fsclib.data.layouts.folders import EXTENSIONS, OTHER_IMAGES
from fsclib.data.records import EMPTY_FOLDER, HARMLESS, PASSED_OVER, DatasetError

READERS = {"sysu": sysu, "llcm": llcm}
CAMERA = {"sysu": "cam1", "llcm": "test_vis/cam1"}
PERSON = {"sysu": "cam1/0007", "llcm": "test_vis/cam1/0004"}
layouts = pytest.mark.parametrize("layout", list(READERS))


def read(layout, root):
    """Records, problems and notes of a folder."""
    records, found = READERS[layout].read(root)
    harmless = [problem for problem in found if problem.kind in HARMLESS]
    return records, [problem for problem in found if problem not in harmless], harmless


def refusal(layout, root):
    with pytest.raises(DatasetError) as caught:
        open_dataset(layout, root)
    return caught.value


@layouts
@pytest.mark.parametrize("extension", [*EXTENSIONS, ".TIF", ".WebP"])
def test_images_of_every_format_that_can_be_decoded_are_listed(tmp_path, layout, extension):
    root = TREES[layout](tmp_path)
    before = set(read(layout, root)[0]["path"])
    write(root, f"{PERSON[layout]}/new{extension}")
    records, problems, notes = read(layout, root)
    assert set(records["path"]) - before == {f"{PERSON[layout]}/new{extension}"}
    assert (problems, notes) == ([], [])


@layouts
def test_images_in_other_formats_stop_a_strict_opening_and_are_to_be_converted(tmp_path, layout):
    root = TREES[layout](tmp_path)
    whole = open_dataset(layout, root).records
    names = [f"{PERSON[layout]}/photo{extension}" for extension in (*OTHER_IMAGES, ".HEIC")]
    for name in names:
        write(root, name)
    found = refusal(layout, root).problems
    assert sorted(problem.path for problem in found) == sorted(names)
    assert {(problem.kind, problem.fix) for problem in found} == {("unread image format", "convert it to PNG or JPEG")}
    assert open_dataset(layout, root, strict=False).records.equals(whole)


@layouts
def test_files_that_are_no_images_are_noted_and_stop_nothing(tmp_path, layout):
    root = TREES[layout](tmp_path)
    whole = open_dataset(layout, root).records
    names = [f"{PERSON[layout]}/{name}" for name in ("Thumbs.db", "desktop.ini", "notes.txt", "more.zip", "0001.jpg.part")]
    names += [f"{CAMERA[layout]}/{name}" for name in ("loose.jpg", "loose.heic", "list.txt", "0004 copy")]
    for name in names:
        (write(root, name) if "." in name else (root / name)).parent.mkdir(exist_ok=True)
    (root / f"{CAMERA[layout]}/0004 copy").mkdir()
    (root / f"{PERSON[layout]}/older").mkdir()
    for name in (".DS_Store", "._0001.jpg", "__MACOSX"):
        for folder in (PERSON[layout], CAMERA[layout]):
            write(root, f"{folder}/{name}", b"")
    found = open_dataset(layout, root)
    noted = {note.path: note for note in found.notes if note.kind == PASSED_OVER}
    assert noted.keys() == {*names, f"{PERSON[layout]}/older"}
    assert "folder of its identity" in noted[f"{CAMERA[layout]}/loose.jpg"].fix
    assert "move its images" in noted[f"{PERSON[layout]}/older"].fix
    assert found.problems == ()
    assert found.records.equals(whole)


def test_a_name_that_is_not_utf_8_is_noted_in_readable_letters(tmp_path):
    root = sysu_tree(tmp_path)
    try:
        write(root, "cam1/0007/" + os.fsdecode(b"caf\xe9.txt"), b"x")
    except OSError:
        pytest.skip("this file system allows UTF-8 names only")
    (note,) = read("sysu", root)[2]
    assert note.path == r"cam1/0007/caf\udce9.txt"


@layouts
def test_an_empty_folder_of_an_identity_is_noted(tmp_path, layout):
    root = TREES[layout](tmp_path)
    for file in (root / PERSON[layout]).iterdir():
        file.unlink()
    _, problems, notes = read(layout, root)
    assert problems == []
    assert [(note.kind, note.path) for note in notes] == [(EMPTY_FOLDER, PERSON[layout])]


@layouts
@pytest.mark.parametrize("left", ["nothing", "empty folders", "other people", "other files"])
def test_a_camera_without_images_of_listed_people_is_a_problem(tmp_path, layout, left):
    root = TREES[layout](tmp_path)
    folder = root / CAMERA[layout]
    for file in folder.rglob("*.jpg"):
        file.unlink()
    if left == "other people":
        write(folder, "9999/0001.jpg")
    elif left == "other files":
        write(root, f"{PERSON[layout]}/Thumbs.db")
    if left != "empty folders":
        for empty in folder.iterdir():
            if not any(empty.iterdir()):
                empty.rmdir()
    (problem,) = refusal(layout, root).problems
    assert (problem.kind, problem.path) == ("camera without images", CAMERA[layout])
    assert "interrupted" in problem.fix


def test_the_camera_of_llcm_that_has_no_infrared_test_images_may_be_empty(tmp_path):
    root = llcm_tree(tmp_path)
    (root / "test_nir/cam3").mkdir()
    assert read("llcm", root)[1:] == ([], [])


@layouts
def test_images_with_problems_of_their_own_are_not_reported_again_for_their_camera(tmp_path, layout):
    root = TREES[layout](tmp_path)
    for file in (root / CAMERA[layout]).rglob("*.jpg"):
        file.write_bytes(b"")
    assert {problem.kind for problem in refusal(layout, root).problems} == {"empty image"}


@layouts
def test_folders_without_leading_zeros_are_one_problem_for_each_camera(tmp_path, layout):
    root = TREES[layout](tmp_path)
    cameras = sorted({file.parent.parent for file in root.rglob("cam*/*/*.jpg")})
    number = len(list(cameras[0].iterdir()))
    for camera in cameras:
        for folder in list(camera.iterdir()):
            folder.rename(folder.with_name(str(int(folder.name))))
    problems = [problem for problem in READERS[layout].read(root)[1] if problem.kind not in HARMLESS]
    assert sorted(problem.path for problem in problems) == [str(camera.relative_to(root)) for camera in cameras]
    assert {problem.kind for problem in problems} == {"misnamed folder"}
    assert all("rename folders to four digits" in problem.fix for problem in problems)
    assert all(f"{number} folders" in problem.found and "expected 00" in problem.found for problem in problems)
