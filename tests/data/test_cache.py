"""The pixel cache: its pixels are right, and nothing is decoded twice."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from caching import build, expected, files, names, run, write_images
from PIL import Image

from fsclib.data.pixels import cache as cache_module
from fsclib.data.pixels import decoding
from fsclib.data.pixels.cache import open_cache


@pytest.fixture
def root(tmp_path):
    """A folder of eight images, of several modes, formats and sizes."""
    folder = tmp_path / "corpus"
    write_images(folder, 8)
    return folder


@pytest.fixture
def decoded(monkeypatch):
    """Sizes in bytes of the files that were decoded in this process."""
    calls, decode = [], decoding.decode
    monkeypatch.setattr(decoding, "decode", lambda data, *size: calls.append(len(data)) or decode(data, *size))
    return calls


# ------------------------------------------------------------------------------------------------------------- contents


def test_pixels_equal_those_of_pillow(root):
    cache = build(root)
    np.testing.assert_array_equal(cache.pixels, expected(root, names(root)))
    assert cache.pixels.dtype == np.uint8
    assert cache.valid.dtype == bool
    assert cache.valid.all()
    assert cache.problems == ()


def test_workers_give_the_same_pixels_in_a_program_without_a_main_file(tmp_path):
    root = tmp_path / "corpus"
    write_images(root, decoding.FEW + 40)
    (root / "050.jpg").write_bytes(b"broken")
    script = """
        import sys
        from pathlib import Path
        from fsclib.data.pixels.cache import open_cache
        from fsclib.system import log
        log.show()
        root = Path(sys.argv[1])
        paths = sorted(path.name for path in root.iterdir())
        cache = open_cache(root, paths, (24, 10), root.parent / "cache", workers=2)
        assert "torch" not in sys.modules
        print(cache.pixels.shape, [problem.path for problem in cache.problems], cache.data_hash)
    """
    output = run(script, root)
    cache = build(root)
    good = [path for path in names(root) if path != "050.jpg"]
    np.testing.assert_array_equal(cache.pixels[cache.valid], expected(root, good))
    assert not cache.pixels[~cache.valid].any()
    progress_line, result = output.splitlines()
    assert progress_line.startswith("pixels of corpus at 24×10: 105 in")
    assert result == f"(105, 24, 10, 3) ['050.jpg'] {cache.data_hash}"


def test_workers_import_pillow_only():
    script = "import sys; import fsclib.data.pixels.decoding; print({'torch', 'numpy', 'pandas'} & set(sys.modules))"
    assert run(script) == "set()\n"


def test_broken_images_are_black_and_all_reported(root, monkeypatch):
    whole = (root / "001.jpg").read_bytes()
    (root / "truncated.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (root / "empty.png").write_bytes(b"")
    (root / "text.png").write_text("no image at all")
    (root / "no_pixels.ppm").write_bytes(b"P6 0 0 255\n")
    (root / "folder.png").mkdir()
    Image.new("L", (300, 300)).save(root / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)  # 300² lies between Pillow's limits for a warning and for an error
    paths = [*names(root), "missing.png"]
    cache = build(root, paths)
    broken = {problem.path: problem for problem in cache.problems}
    assert sorted(broken) == sorted(np.array(paths)[~cache.valid])
    assert len(broken) == 7
    assert not cache.pixels[~cache.valid].any()
    np.testing.assert_array_equal(cache.pixels[cache.valid], expected(root, np.array(paths)[cache.valid]))
    for path, complaint in {
        "truncated.jpg": "truncated",
        "empty.png": "0 bytes",
        "text.png": "not an image, 15 bytes",
        "bomb.png": "decompression bomb",
        "folder.png": "cannot be read",
        "missing.png": "cannot be read: No such file",
    }.items():
        assert complaint in broken[path].found
        assert broken[path].line is None
        assert "restore it" in broken[path].fix
    again = build(root, paths)
    assert again.problems == cache.problems
    assert again.data_hash == cache.data_hash


def test_a_repaired_image_enters_the_cache(root):
    good = (root / "000.png").read_bytes()
    (root / "000.png").write_bytes(good[:40])
    (root / "002.png").rename(root / "away")
    paths = sorted({*names(root), "002.png"} - {"away"})
    broken = build(root, paths)
    assert [problem.path for problem in broken.problems] == ["000.png", "002.png"]
    (root / "000.png").write_bytes(good)
    (root / "away").rename(root / "002.png")
    repaired = build(root)
    assert repaired.problems == ()
    assert repaired.data_hash != broken.data_hash
    np.testing.assert_array_equal(repaired.pixels, expected(root, names(root)))


def test_data_hash_depends_on_paths_and_contents_only(root, tmp_path):
    cache = build(root)
    assert build(root, names(root)[::-1]).data_hash == cache.data_hash
    assert open_cache(root, names(root), (5, 5), tmp_path / "x", progress=False).data_hash == cache.data_hash
    assert build(root, names(root)[1:]).data_hash != cache.data_hash
    (root / "000.png").rename(root / "009.png")
    assert build(root).data_hash != cache.data_hash


# -------------------------------------------------------------------------------------------------------- opening again


def test_second_opening_decodes_and_reads_nothing(root, decoded, monkeypatch):
    first = build(root)
    assert len(decoded) == 8
    monkeypatch.setattr(cache_module, "read", lambda file: pytest.fail(f"read {file}"))
    second = build(root)
    assert len(decoded) == 8
    assert second.pixels.filename == first.pixels.filename
    assert isinstance(second.pixels, np.memmap)
    assert second.pixels.mode == "r"
    assert not second.pixels.flags.writeable
    assert second.data_hash == first.data_hash


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident memory from /proc")
def test_building_and_opening_do_not_load_the_pixels_into_memory(tmp_path):
    root = tmp_path / "corpus"
    write_images(root, 120)
    script = """
        import os, sys
        from pathlib import Path
        import fsclib.data.pixels.cache
        root, size = Path(sys.argv[1]), (512, 512)
        paths = sorted(path.name for path in root.iterdir())
        def resident():
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        before = resident()
        cache = fsclib.data.pixels.cache.open_cache(root, paths, size, root.parent / "cache", workers=1, progress=False)
        reordered = fsclib.data.pixels.cache.open_cache(root, paths[::-1], size, root.parent / "cache", progress=False)
        print((resident() - before) / reordered.pixels.nbytes)
        assert (cache.pixels[7] == reordered.pixels[-8]).all()
    """
    assert float(run(script, root)) < 0.1


def test_only_changed_content_is_decoded_again(root, decoded):
    first = build(root)
    changed = root / "004.bmp"
    Image.fromarray(255 - np.asarray(Image.open(changed))).save(changed)  # other content of the same length
    os.utime(changed, ns=(1, 1))
    decoded.clear()
    second = build(root)
    assert decoded == [changed.stat().st_size]
    assert second.data_hash != first.data_hash
    np.testing.assert_array_equal(second.pixels, expected(root, names(root)))
    assert len(files(root)) == 2  # the new pixels and their index


def test_touched_files_are_hashed_once_and_change_nothing(root, decoded, monkeypatch):
    first = build(root)
    for path in root.iterdir():
        os.utime(path, ns=(5, 5))
    decoded.clear()
    second = build(root)
    assert decoded == []
    assert second.data_hash == first.data_hash
    assert second.pixels.filename == first.pixels.filename
    monkeypatch.setattr(cache_module, "read", lambda file: pytest.fail(f"read {file} again"))
    build(root)


def images_of_one_size(root):
    """Two files of equal size and modification time with different pixels."""
    first, second = root / "a.bmp", root / "b.bmp"
    for file, colour in ((first, "red"), (second, "blue")):
        Image.new("RGB", (9, 9), colour).save(file)
        os.utime(file, ns=(7, 7))
    return first, second


def rename(first, second):
    aside = first.rename(first.with_name("aside"))
    second.rename(first)
    aside.rename(second)


def write_and_set_the_time(first, second):
    contents = first.read_bytes(), second.read_bytes()
    for file, content in zip((second, first), contents, strict=True):
        file.write_bytes(content)
        os.utime(file, ns=(7, 7))


def link(first, second):
    os.link(second, aside := first.with_name("aside"))
    os.replace(aside, first)  # noqa: PTH105


@pytest.mark.parametrize("swap", [rename, write_and_set_the_time, link])
def test_swapped_files_of_equal_size_and_time_are_decoded_again(root, swap):
    first, second = images_of_one_size(root)
    before = build(root)
    swap(first, second)
    assert (first.stat().st_size, first.stat().st_mtime_ns) == (second.stat().st_size, second.stat().st_mtime_ns)
    after = build(root)
    np.testing.assert_array_equal(after.pixels, expected(root, names(root)))
    assert after.data_hash != before.data_hash


def test_swapped_folders_are_decoded_again(tmp_path):
    """Renaming a folder changes nothing about its files except which inode is found at a path."""
    root = tmp_path / "corpus"
    for folder, colour in (("1", "red"), ("2", "blue")):
        (root / folder).mkdir(parents=True)
        Image.new("RGB", (9, 9), colour).save(root / folder / "x.bmp")
        os.utime(root / folder / "x.bmp", ns=(7, 7))
    before = build(root, ["1/x.bmp", "2/x.bmp"])
    rename(root / "1", root / "2")
    after = build(root, ["1/x.bmp", "2/x.bmp"])
    np.testing.assert_array_equal(after.pixels, before.pixels[::-1])
    assert after.data_hash != before.data_hash


def test_in_a_copy_with_its_cache_only_swapped_images_are_decoded(root, decoded, monkeypatch):
    first = build(root)
    moved = root.parent.with_name("another disk")
    shutil.copytree(root.parent, moved)  # keeps modification times, like cp -a
    rename(*(moved / "corpus" / name for name in ("000.png", "003.png")))
    decoded.clear()
    second = build(moved / "corpus")
    assert len(decoded) == 2
    np.testing.assert_array_equal(second.pixels, expected(moved / "corpus", names(root)))
    assert second.data_hash != first.data_hash
    monkeypatch.setattr(cache_module, "read", lambda file: pytest.fail(f"read {file} again"))
    build(moved / "corpus")


def test_an_index_of_an_older_version_is_compared_by_hash(root, decoded):
    first = build(root)
    (name,) = files(root, ".json")
    index = json.loads((root.parent / "cache" / name).read_text())
    index["images"] = [[path, found[:4]] for path, found in index["images"]]
    (root.parent / "cache" / name).write_text(json.dumps(index))
    changed = root / "004.bmp"
    time = changed.stat().st_mtime_ns
    Image.fromarray(255 - np.asarray(Image.open(changed))).save(changed)
    os.utime(changed, ns=(time, time))
    decoded.clear()
    second = build(root)
    assert decoded == [changed.stat().st_size]
    np.testing.assert_array_equal(second.pixels, expected(root, names(root)))
    assert second.data_hash != first.data_hash


def test_an_index_far_too_large_for_its_images_is_not_parsed(root, decoded):
    build(root)
    (name,) = files(root, ".json")
    index = root.parent / "cache" / name
    content = index.read_text()
    index.write_text(content.replace("{", "{" + " " * ((1 << 20) + 8000), 1))
    decoded.clear()
    build(root)
    assert len(decoded) == 8
    index.write_text(index.read_text().replace("{", "{" + " " * (1 << 19), 1))
    decoded.clear()
    build(root)
    assert decoded == []


def test_added_removed_and_reordered_files(root, decoded):
    first = build(root)
    before = first.pixels.copy()
    (root / "003.png").unlink()
    Image.new("RGB", (9, 9), (200, 10, 30)).save(root / "000a.png")
    decoded.clear()
    paths = names(root)[::-1]
    second = build(root, paths)
    assert decoded == [(root / "000a.png").stat().st_size]
    np.testing.assert_array_equal(second.pixels, expected(root, paths))
    np.testing.assert_array_equal(first.pixels, before)  # an open mapping keeps the old pixels


def test_a_path_requested_twice_appears_twice(root):
    cache = build(root, ["001.jpg", "000.png", "001.jpg"])
    np.testing.assert_array_equal(cache.pixels, expected(root, ["001.jpg", "000.png", "001.jpg"]))


def test_sizes_and_folders_of_the_same_name_have_separate_files(root, tmp_path, decoded):
    other = tmp_path / "elsewhere" / "corpus"
    other.parent.mkdir()
    write_images(other, 8, seed=1)
    folder = tmp_path / "cache"
    build(root)
    build(other, folder=folder)
    open_cache(root, names(root), (5, 5), folder, progress=False)
    decoded.clear()
    np.testing.assert_array_equal(build(root).pixels, expected(root, names(root)))
    np.testing.assert_array_equal(build(other, folder=folder).pixels, expected(other, names(other)))
    assert decoded == []


def test_a_checkout_moved_with_its_cache_decodes_nothing(root, decoded):
    build(root)
    moved = root.parent.rename(root.parent.with_name("moved"))
    decoded.clear()
    build(moved / "corpus")
    assert decoded == []


@pytest.mark.parametrize("suffix", [".json", ".npy"])
def test_damaged_files_are_rebuilt(root, suffix):
    build(root)
    (name,) = files(root, suffix)
    damaged = root.parent / "cache" / name
    damaged.write_bytes(damaged.read_bytes()[:-7])
    np.testing.assert_array_equal(build(root).pixels, expected(root, names(root)))
    assert len(files(root)) == 2
