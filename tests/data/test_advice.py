"""Data sets that are not where they should be: the message names the place, and what to do about it."""

import shutil

import pytest
from trees import TREES, append, write

from fsclib.data.datasets import open_dataset
from fsclib.data.layouts.advice import ARRAYS, PACKED
from fsclib.data.records import MISSING_INDEX, MISSING_ROOT, DatasetError

INDEXES = {"sysu": "exp", "regdb": "idx", "llcm": "idx"}
every_layout = pytest.mark.parametrize("layout", list(TREES))


def refusal(layout, root, **options):
    with pytest.raises(DatasetError) as caught:
        open_dataset(layout, root, **options)
    return caught.value


@every_layout
@pytest.mark.parametrize("inner", ["Set", "Set/data", "my images"])
def test_a_data_set_in_a_folder_too_many_is_found(tmp_path, layout, inner):
    TREES[layout](tmp_path / inner)
    (problem,) = refusal(layout, tmp_path, strict=False).problems
    assert problem.kind == MISSING_ROOT
    quoted = f"'{tmp_path / inner}'" if " " in inner else str(tmp_path / inner)
    assert f"pass -p data_root {quoted}, or move its contents up" in problem.fix
    assert open_dataset(layout, tmp_path / inner).problems == ()


@every_layout
def test_a_folder_three_levels_down_or_without_all_index_files_is_not_recommended(tmp_path, layout):
    TREES[layout](tmp_path / "deep/a/b/c")
    assert {problem.kind for problem in refusal(layout, tmp_path / "deep").problems} >= {MISSING_INDEX}
    TREES[layout](tmp_path / "part/a")
    next((tmp_path / "part/a" / INDEXES[layout]).iterdir()).unlink()
    assert {problem.kind for problem in refusal(layout, tmp_path / "part").problems} >= {MISSING_INDEX}


@every_layout
@pytest.mark.parametrize("extension", [PACKED[0], PACKED[-1], ".ZIP"])
def test_an_archive_that_was_not_unpacked_is_named(tmp_path, layout, extension):
    write(tmp_path / "Set", f"images{extension}", b"PK")
    assert f"unpack images{extension} into {tmp_path / 'Set'}" in str(refusal(layout, tmp_path / "Set"))
    shutil.rmtree(tmp_path / "Set")
    archive = write(tmp_path, f"Set{extension}", b"PK")
    assert f"unpack {archive} into {tmp_path / 'Set'}" in str(refusal(layout, tmp_path / "Set"))
    assert "unpack it, and pass -p data_root" in str(refusal(layout, archive))


@pytest.mark.parametrize(("layout", "folder"), [("sysu", "cam6"), ("llcm", "test_nir")])
def test_an_archive_of_a_missing_folder_is_named(tmp_path, layout, folder):
    root = TREES[layout](tmp_path)
    shutil.rmtree(root / folder)
    write(root, f"{folder}.zip", b"PK")
    problem = next(problem for problem in refusal(layout, root).problems if problem.path == folder)
    assert f"unpack {folder}.zip" in problem.fix


@every_layout
@pytest.mark.parametrize("change", [str.upper, str.title])
def test_index_files_spelled_in_other_case_are_to_be_renamed(tmp_path, layout, change):
    root = TREES[layout](tmp_path)
    folder = root / INDEXES[layout]
    files = sorted(f"{folder.name}/{file.name}" for file in folder.iterdir())
    for file in list(folder.iterdir()):
        file.rename(folder / change(file.name))
    folder.rename(root / change(folder.name))
    if (root / files[0]).exists():
        pytest.skip("this disk does not distinguish upper and lower case")
    found = [problem for problem in refusal(layout, root).problems if problem.kind == MISSING_INDEX]
    assert sorted(problem.path for problem in found) == files
    for problem in found:
        other = "/".join(map(change, problem.path.split("/")))
        assert problem.found == f"found {other}, expected {problem.path}"
        assert problem.fix.startswith("rename it")


CASES = [("sysu", "cam1", "Cam1"), ("llcm", "test_vis", "TEST_VIS"), ("llcm", "test_nir/cam9", "CAM9")]
CASES += [("regdb", "Visible", "visible"), ("regdb", "Thermal", "THERMAL"), ("llcm", "vis", "Vis"), ("llcm", "nir", "NIR")]


@pytest.mark.parametrize(("layout", "folder", "name"), CASES)
def test_folders_of_images_spelled_in_other_case_are_one_problem(tmp_path, layout, folder, name):
    root = TREES[layout](tmp_path)
    (root / folder).rename((root / folder).with_name(name))
    if (root / folder).exists():
        pytest.skip("this disk does not distinguish upper and lower case")
    problems = [problem for problem in refusal(layout, root).problems if problem.kind == "misnamed folder"]
    assert [problem.path for problem in problems] == [folder]
    other = str((root / folder).with_name(name).relative_to(root))
    assert problems[0].found == f"found {other}, expected {folder}"


def test_a_camera_spelled_in_other_case_in_both_modalities_is_reported_in_both(tmp_path):
    """A corpus may lack a camera in both, so the folders that are missing are not problems."""
    root = TREES["llcm"](tmp_path)
    for folder in ("test_vis", "test_nir"):
        (root / folder / "cam9").rename(root / folder / "Cam9")
    assert {problem.path for problem in refusal("llcm", root).problems} == {"test_vis/cam9", "test_nir/cam9"}


@pytest.mark.parametrize(("layout", "index"), [("regdb", "idx/train_visible_1.txt"), ("llcm", "idx/train_vis.txt")])
def test_an_image_whose_extension_is_spelled_in_other_case_is_named(tmp_path, layout, index):
    root = TREES[layout](tmp_path)
    write(root, "more/a.JPG")
    append(root, index, "more/a.jpg 3")
    problem = next(problem for problem in refusal(layout, root).problems if problem.path == index)
    assert "'more/a.JPG' does" in problem.found
    assert "upper and lower case" in problem.fix


@every_layout
def test_a_root_folder_spelled_in_other_case_is_named(tmp_path, layout):
    TREES[layout](tmp_path / "myset")
    (problem,) = refusal(layout, tmp_path / "MySet").problems
    assert f"myset exists: rename it to MySet, or pass -p data_root {tmp_path / 'myset'}" in problem.fix


@every_layout
def test_a_folder_that_has_moved_can_be_passed_as_a_parameter(tmp_path, layout):
    message = str(refusal(layout, tmp_path / "gone"))
    assert "If it has moved, pass -p data_root FOLDER to the notebook, --data-root FOLDER to a command" in message


@every_layout
def test_arrays_of_the_published_programs_are_recognised(tmp_path, layout):
    for name in ARRAYS:
        write(tmp_path, name, b"\x93NUMPY")
    problem = next(problem for problem in refusal(layout, tmp_path).problems if problem.kind == MISSING_INDEX)
    assert "train_rgb_resized_img.npy" in problem.fix
    assert "pre_process_sysu.py" in problem.fix
    assert "put the original images there" in problem.fix


@every_layout
def test_missing_index_files_do_not_hide_missing_folders(tmp_path, layout):
    found = {problem.path for problem in refusal(layout, tmp_path).problems}
    folders = {"sysu": {f"cam{camera}" for camera in range(1, 7)}, "llcm": {"test_vis", "test_nir"}, "regdb": set()}[layout]
    assert folders < found
