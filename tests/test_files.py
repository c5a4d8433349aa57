"""Files that are either whole or not there."""

import threading
import time

import pytest

from fsclib.files import held, locked, replacing, reserve


def test_replacing_takes_the_place_of_the_file_at_the_end(tmp_path):
    file = tmp_path / "data.txt"
    file.write_text("old")
    with replacing(file) as temporary:
        temporary.write_text("new")
        assert file.read_text() == "old"
        assert temporary.parent == tmp_path
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_everything_is_as_before(tmp_path, error):
    file = tmp_path / "data.txt"
    file.write_text("old")

    def fail():
        with replacing(file) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("system", ["with", "without"])
def test_reserve_appends_zeros(tmp_path, monkeypatch, system):
    if system == "without":
        monkeypatch.delattr("os.posix_fallocate", raising=False)
    file = tmp_path / "data"
    file.write_bytes(b"header")
    reserve(file, 100_000)
    assert file.read_bytes() == b"header" + bytes(99_994)
    assert file.stat().st_blocks * 512 >= 100_000  # not a hole


def test_who_only_looks_whether_a_lock_is_held_keeps_nobody_out(tmp_path):
    file, end = tmp_path / "lock", time.monotonic() + 0.5
    looking = threading.Thread(target=lambda: [held(file) for _ in iter(lambda: time.monotonic() < end, False)])
    file.touch()
    looking.start()
    taken = 0
    while time.monotonic() < end:
        with locked(file, None):
            taken += 1
    looking.join()
    assert taken > 10


def test_lock_is_free_again_after_an_error(tmp_path, capsys):
    def fail():
        with locked(tmp_path / "lock", "waiting"):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 -- the test's own
        fail()
    with locked(tmp_path / "lock", "waiting"):
        assert capsys.readouterr().out == ""
