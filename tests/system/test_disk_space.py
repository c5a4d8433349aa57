"""Disk errors are reported with a fix; missing space and missing support for mmap are detected in advance."""

import errno
import mmap
import shutil
import tempfile

import pytest

from fsclib.system import disk_space
from fsclib.system.disk_space import DiskError, can_map, check_room, make_folder, writing


def test_a_folder_that_cannot_be_made_is_reported_with_a_fix(tmp_path, monkeypatch):
    def refuse(path, **options):
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    monkeypatch.setattr(disk_space.Path, "mkdir", refuse)
    with pytest.raises(DiskError, match=r"/a/c cannot be written \(Read-only file system\): grant write access there and start"):
        make_folder(tmp_path / "a" / "c")


def test_a_disk_error_is_not_wrapped_again(tmp_path):
    inner = DiskError(errno.ENOSPC, "No space left on device", str(tmp_path / "inner"))
    with pytest.raises(DiskError) as caught, writing(tmp_path):
        raise inner
    assert caught.value is inner


def test_other_errors_pass_unchanged(tmp_path):
    for error in (OSError("no number"), FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path)), ValueError()):
        with pytest.raises(type(error)) as caught, writing(tmp_path):
            raise error
        assert caught.value is error


def test_space_is_checked_where_the_folder_will_be_made(tmp_path, monkeypatch):
    free = shutil.disk_usage(tmp_path).free
    check_room(tmp_path / "a" / "b", 1000, "its files")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(
        DiskError, match=r"/a/b cannot be written \(its files need \d+ MB, \d+ MB are free\): free some space there"
    ):
        check_room(tmp_path / "a" / "b", 10 * free, "its files")

    def refuse(dir):
        raise OSError(errno.EROFS, "Read-only file system", f"{dir}/tmp123")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(DiskError, match=rf"^{tmp_path} cannot be written \(Read-only file system\)"):
        check_room(tmp_path / "a" / "b", 0, "its files")


def test_can_map_tries_to_map_the_file(tmp_path, monkeypatch):
    for content in (b"", b"x", b"x" * 10_000):
        (tmp_path / "f").write_bytes(content)
        assert can_map(tmp_path / "f")

    def refuse(*arguments, **options):
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(mmap, "mmap", refuse)
    assert not can_map(tmp_path / "f")
