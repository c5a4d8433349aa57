"""A pipe or a device in place of any file is refused or replaced; nothing waits for it."""

import os
import shutil
import stat
from collections import Counter
from pathlib import Path

import pytest
from odd_places import outcome, places, put
from tally import keep
from test_links import every_writer, job
from writers import ORIGIN, fill_index, prepare, save_checkpoint

from fsclib.retrieval import gallery
from fsclib.retrieval.gallery import SearchError
from fsclib.runs import checkpoint
from fsclib.runs.checkpoint import CheckpointError
from fsclib.system import locks
from fsclib.system.disk_space import can_map
from fsclib.system.opening import LinkError, open_file
from workbook.sweep import cell


def device(path: Path) -> None:
    """Creates a device that never ends and accepts everything."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
    except (OSError, AttributeError) as error:
        pytest.skip(f"a device cannot be made here: {error}")


MAKERS = {"a pipe": os.mkfifo, "a device": device}
each_kind = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@each_kind
@every_writer
def test_no_writer_waits_for_a_pipe_or_device(writer, make, tmp_path):
    home, found = tmp_path / "home", Counter()
    for place in places(writer, home)[0]:
        prepare(writer, home)
        put(home / place, make)
        error = outcome(lambda: writer.write(home))
        if error.startswith("LinkError"):
            assert str(home / place) in error
        found["refused" if error else "replaced or listed"] += 1
        shutil.rmtree(home)
    keep("pipes and devices", writer.name, found)


@each_kind
def test_lock_that_is_a_pipe_or_device_is_refused(make, tmp_path):
    make(tmp_path / "lock")
    for act in (locks.held, lambda file: open_file(file, "ab"), lambda file: locks.locked(file, None).__enter__()):
        error = outcome(lambda act=act: act(tmp_path / "lock"))
        kind = "a pipe" if make is os.mkfifo else "a device"
        assert error == f"LinkError: {tmp_path}/lock is {kind}, expected a file; remove it and start the same command again"
    assert locks.holder(tmp_path / "lock") == "another process"


@each_kind
def test_checkpoint_that_is_a_pipe_or_device_is_refused(make, tmp_path):
    save_checkpoint(tmp_path, 0)
    put(tmp_path / "last.safetensors", make)
    for act in (checkpoint.fingerprint, checkpoint.network, checkpoint.state):
        assert outcome(lambda act=act: act(tmp_path / "last.safetensors")).startswith("CheckpointError"), act
    assert "is not a regular file" in outcome(lambda: can_map(tmp_path / "last.safetensors"))


@each_kind
@pytest.mark.parametrize("verify", [True, False])
def test_index_with_a_pipe_or_device_is_refused(make, verify, tmp_path):
    fill_index(tmp_path)
    for file in sorted((tmp_path / "index").iterdir()):
        file.rename(tmp_path / "aside")
        make(file)
        error = outcome(lambda: gallery.Gallery(tmp_path / "index", ORIGIN, verify=verify))
        assert error.startswith("SearchError"), (file, error)
        assert file.name in error
        file.unlink()
        (tmp_path / "aside").rename(file)
    assert len(gallery.Gallery(tmp_path / "index", ORIGIN)) == 600


def test_unmerged_codes_that_are_a_pipe_are_refused(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fsclib.retrieval.gallery.codes.merge", killed)
        with pytest.raises(KeyboardInterrupt):
            fill_index(tmp_path)
    (file, *_) = sorted((tmp_path / "index").glob("codes-*"))
    put(file, os.mkfifo)
    error = outcome(lambda: fill_index(tmp_path))
    assert error.startswith("SearchError")
    assert f"{file.name}: cannot be used (is not a regular file)" in error


@each_kind
def test_sweep_does_not_wait_for_a_pipe_or_device_as_notebook(make, tmp_path):
    one = job(tmp_path)
    put(one.executed, make)
    assert outcome(lambda: cell.run_cell(one)) == ""
    assert f"{one.executed} is a {'pipe' if make is os.mkfifo else 'device'}, expected a file" in one.error


def test_opening_a_pipe_raises_link_error(tmp_path):
    os.mkfifo(tmp_path / "x")
    with pytest.raises(LinkError), open_file(tmp_path / "x", "wb"):
        pass
    assert issubclass(LinkError, OSError)
    assert issubclass(SearchError, Exception)
    assert issubclass(CheckpointError, Exception)
