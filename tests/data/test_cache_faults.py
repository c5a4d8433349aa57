"""The pixel cache when builds are killed, run concurrently or fill the disk: a partial cache is never used."""

import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from caching import build, expected, files, names, run, write_images
from PIL import Image

from fsclib.data.pixels import decoding, file
from fsclib.data.pixels.cache import open_cache


@pytest.fixture
def root(tmp_path):
    """A folder of eight images, of several modes, formats and sizes."""
    folder = tmp_path / "corpus"
    write_images(folder, 8)
    return folder


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import fsclib.data.pixels.cache as cache, fsclib.data.pixels.decoding as decoding
    root, place = Path(sys.argv[1]), sys.argv[2]
    def die(*arguments, **options):
        os.kill(os.getpid(), signal.SIGKILL)
    if place == "decode":
        decode, calls = decoding.decode, []
        decoding.decode = lambda *arguments: die() if len(calls) == 3 else calls.append(1) or decode(*arguments)
    if place == "workers":
        decoding._answer = die
    if place == "rename":
        Path.replace = die
    if place == "index":
        cache.json.dumps = die
    if place == "index rename":
        replace = Path.replace
        Path.replace = lambda self, target: die() if ".json" in self.name else replace(self, target)
    if place == "leftovers":
        unlink = Path.unlink
        Path.unlink = lambda self, **options: die() if self.suffix == ".npy" else unlink(self, **options)
    paths = sorted(path.name for path in root.iterdir())
    cache.open_cache(root, paths, (24, 10), root.parent / "cache", progress=False)
"""


@pytest.mark.parametrize(
    ("before", "place"),
    [("nothing", "decode"), ("nothing", "rename"), ("nothing", "index rename"), ("old", "index"), ("old", "leftovers")],
)
def test_a_killed_build_does_not_affect_the_next(root, tmp_path, before, place):
    if before == "old":
        build(root)
        for path in root.glob("*.png"):
            Image.new("RGB", (7, 7), (1, 2, 3)).save(path)
    run(KILLED, root, place, expect=-signal.SIGKILL)
    assert len(files(root)) > (2 if before == "old" else 0)  # killed halfway
    cache = build(root)
    uninterrupted = build(root, folder=tmp_path / "other")
    np.testing.assert_array_equal(cache.pixels, uninterrupted.pixels)
    np.testing.assert_array_equal(cache.pixels, expected(root, names(root)))
    assert cache.data_hash == uninterrupted.data_hash
    assert files(root) == sorted([Path(cache.pixels.filename).name, files(root, ".json")[0]])


def test_workers_of_a_killed_build_end_by_themselves(tmp_path):
    root = tmp_path / "corpus"
    write_images(root, 2 * decoding.FEW)
    run(KILLED, root, "workers", expect=-signal.SIGKILL)  # returns once they have
    assert len(files(root, ".part")) == 1
    np.testing.assert_array_equal(build(root, workers=2).pixels, expected(root, names(root)))
    assert files(root, ".part") == []


def test_the_second_of_two_builders_waits_for_the_first(root):
    first = """
        import sys
        from pathlib import Path
        import fsclib.data.pixels.cache as cache, fsclib.data.pixels.decoding as decoding
        from fsclib.system import log
        log.show()
        root, decode = Path(sys.argv[1]), decoding.decode
        def slow(*arguments):
            print("building", flush=True)
            sys.stdin.readline()
            decoding.decode = decode
            return decode(*arguments)
        decoding.decode = slow
        paths = sorted(path.name for path in root.iterdir())
        cache.open_cache(root, paths, (24, 10), root.parent / "cache", progress=False)
    """
    second = first.replace("sys.stdin.readline()", "raise SystemExit('decoded a second time')")

    def start(script):
        command = [sys.executable, "-c", textwrap.dedent(script), str(root)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    builder = start(first)
    assert builder.stdout.readline() == "building\n"
    waiter = start(second)
    owner = f"process {builder.pid} on {socket.gethostname()} since "
    assert waiter.stdout.readline().startswith(f"corpus is being decoded by {owner}")
    assert waiter.poll() is None
    builder.communicate("go on\n", timeout=60)
    assert waiter.communicate(timeout=60) == ("", None)
    assert (builder.returncode, waiter.returncode) == (0, 0)
    np.testing.assert_array_equal(build(root).pixels, expected(root, names(root)))
    assert len(files(root)) == 2


def test_a_disk_that_is_too_small_is_reported_before_writing(root, monkeypatch):
    usage = file.shutil.disk_usage(root)._replace(free=1000)
    monkeypatch.setattr(file.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match=r"8 images of 24×10 need 5.76e-06 GB in .*only 1e-06 GB are free.*FSCLIB_HOME"):
        build(root)
    assert files(root) == []


@pytest.mark.parametrize(("reserved", "number"), [(True, 8), (False, decoding.FEW + 40)])
def test_a_disk_that_fills_up_leaves_no_partial_files(tmp_path, reserved, number):
    root = tmp_path / "corpus"
    write_images(root, number)
    script = """
        import resource, sys
        from pathlib import Path
        import fsclib.data.pixels.file as pixelfile
        from fsclib.data.pixels.cache import open_cache
        root = Path(sys.argv[1])
        if sys.argv[2] == "False":
            pixelfile.reserve = lambda file, size: None
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # larger files fail as on a full disk
        try:
            paths = sorted(path.name for path in root.iterdir())
            open_cache(root, paths, (24, 10), root.parent / "cache", progress=False, workers=2)
        except OSError as error:
            print(error)
    """
    output = run(script, root, reserved)
    assert f"{number} images of 24×10 need" in output
    assert "FSCLIB_HOME" in output
    assert files(root) == []
    assert build(root).valid.all()


def test_dead_workers_are_reported(tmp_path, monkeypatch):
    root = tmp_path / "corpus"
    write_images(root, decoding.FEW)
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(RuntimeError, match=r"a decoding process died \(exit status 1\) on files .*corpus/0"):
        build(root)
    assert files(root) == []


def test_impossible_requests_are_refused(root):
    with pytest.raises(ValueError, match="at least one path"):
        build(root, [])
    with pytest.raises(ValueError, match="size is 0×10"):
        open_cache(root, names(root), (0, 10), root.parent / "cache")
