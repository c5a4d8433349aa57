"""Building an index shard by shard: resumed after a kill with the same bytes, refused without traces, in bounded memory."""

import errno
import gc
import os
import subprocess
import sys
import tracemalloc
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from searching import ORIGIN, crowd, files, some

from fsclib.retrieval.gallery import (
    EXACT,
    IVFPQ,
    Cut,
    Entries,
    Gallery,
    IndexOptions,
    Origin,
    SearchError,
    append,
    build,
    building,
    codes,
)
from fsclib.retrieval.gallery import gallery as searching
from fsclib.retrieval.gallery.options import library
from fsclib.system.disk_space import DiskError
from fsclib.system.locks import lock_beside, locked
from fsclib.system.storage import HOST

IMAGES, QUERIES = some(900, seed=3), some(20, seed=4)
KINDS = [
    EXACT,
    pytest.param(IVFPQ, marks=pytest.mark.skipif(
        find_spec("faiss") is None, reason="lists of codes need faiss: pip install 'fsclib[gallery]'"
    )),
]  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS)


class Failing(Cut):
    """Shards of which one raises KeyboardInterrupt, as if the build were killed there."""

    def __getitem__(self, shard):
        if shard == 4:
            raise KeyboardInterrupt
        return super().__getitem__(shard)


def interrupt_build(folder, kind, learnt=None):
    """Builds only the first shards of an index of IMAGES."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "_sample", lambda shards, *rest, sample=building._sample: sample(Cut(IMAGES, 100), *rest))
        with pytest.raises(KeyboardInterrupt):
            build(folder, Failing(IMAGES, 100), ORIGIN, options(kind), learnt)


def options(kind):
    return IndexOptions(kind=kind, lists=8)


@every_kind
def test_a_build_resumes_after_the_last_whole_shard(kind, tmp_path):
    shards = Cut(IMAGES, 100)
    learnt = QUERIES.vectors
    build(tmp_path / "whole", shards, ORIGIN, options(kind), learnt)
    interrupt_build(tmp_path / "a", kind, learnt)
    with pytest.raises(SearchError, match="is not complete; start the same build again"):
        Gallery(tmp_path / "a", None)
    (tmp_path / "a" / f"lists-00009.bin.0123abcd.{HOST}.part").write_bytes(b"half")
    with (tmp_path / "a" / "vectors.bin").open("ab") as file:
        file.write(b"half")
    with pytest.raises(SearchError, match="was filled with other images than those given"):
        build(tmp_path / "a", Cut(some(900, seed=9), 100), ORIGIN, options(kind), learnt)
    build(tmp_path / "a", shards, ORIGIN, options(kind), learnt)
    assert files(tmp_path / "a") == files(tmp_path / "whole")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "a").iterdir()}
    build(tmp_path / "a", shards, ORIGIN, options(kind), learnt)  # already complete
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "a").iterdir()}


KILLED = """
import os, sys
from importlib.util import find_spec
from pathlib import Path
from searching import ORIGIN, some
from fsclib.retrieval.gallery import Cut, IndexOptions, build, codes, manifest
folder, place = Path(sys.argv[1]), sys.argv[2]
write = manifest.write_text
def counted(file, text, seen=[0]):
    seen[0] += 1
    if place == "shard" and seen[0] == 4:
        os._exit(9)
    write(file, text)
manifest.write_text = counted
if place == "merge":
    codes.reserve = lambda *given: os._exit(9)
build(folder, Cut(some(900, seed=3), 100), ORIGIN, IndexOptions(kind="ivfpq", lists=8))
"""


@pytest.mark.parametrize("place", ["shard", "merge"])
def test_the_next_process_completes_a_killed_build(place, tmp_path):
    pytest.importorskip("faiss", reason="lists of codes need faiss: pip install 'fsclib[gallery]'")
    here = os.environ | {"PYTHONPATH": os.pathsep.join(str(Path(__file__).parents[up]) for up in (2, 3))}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a"), place], env=here, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    for name in ("a", "whole"):
        build(tmp_path / name, Cut(IMAGES, 100), ORIGIN, options(IVFPQ))
    assert files(tmp_path / "a") == files(tmp_path / "whole")


@every_kind
def test_added_images_are_found_like_those_built_in(kind, tmp_path):
    first, more, last = (IMAGES.of(slice(*ends)) for ends in ((0, 400), (400, 600), (600, 900)))
    for name in ("a", "b"):
        build(tmp_path / name, Cut(first), ORIGIN, options(kind))
    old = Gallery(tmp_path / "a", None)
    append(tmp_path / "a", Cut(more, 100), ORIGIN)
    append(tmp_path / "a", Cut(last, 100), ORIGIN)
    append(tmp_path / "b", Cut(IMAGES.of(slice(400, 900)), 100), ORIGIN)
    a, b = files(tmp_path / "a"), files(tmp_path / "b")
    assert a == b
    build(tmp_path / "whole", Cut(IMAGES), ORIGIN, options(kind))
    everything = {"probes": 8, "rerank": 900}
    found = [Gallery(tmp_path / name, None).search(QUERIES.vectors, **everything) for name in ("a", "whole")]
    np.testing.assert_allclose(found[0].similarity, found[1].similarity, atol=0.03)
    assert (found[0].row == found[1].row).mean() > 0.95  # except for images that half precision cannot tell apart
    assert len(Gallery(tmp_path / "a", None)) == 900
    assert old.search(QUERIES.vectors, 400, **everything).row.max() < 400  # searches the images it was opened with


@every_kind
def test_an_interrupted_addition_resumes(kind, tmp_path, monkeypatch):
    build(tmp_path / "a", Cut(IMAGES.of(slice(0, 400))), ORIGIN, options(kind))
    build(tmp_path / "b", Cut(IMAGES.of(slice(0, 400))), ORIGIN, options(kind))
    rest = IMAGES.of(slice(300, 900))
    with pytest.raises(KeyboardInterrupt):
        append(tmp_path / "a", Failing(rest, 100), ORIGIN)
    assert len(Gallery(tmp_path / "a", None)) == 400
    for name in ("a", "b"):
        append(tmp_path / name, Cut(rest, 100), ORIGIN)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    with pytest.raises(SearchError, match="holds 7 shards, expected at most the 1 given"):
        build(tmp_path / "a", Cut(IMAGES.of(slice(0, 400))), ORIGIN, options(kind))


@every_kind
def test_files_that_cannot_be_mapped_are_read(kind, tmp_path, monkeypatch, capsys):
    build(tmp_path / "a", Cut(IMAGES, 200), ORIGIN, options(kind))
    expected = Gallery(tmp_path / "a", None).search(QUERIES.vectors)
    for module in (codes, searching):
        monkeypatch.setattr(module, "can_map", lambda file: False)
    build(tmp_path / "b", Cut(IMAGES, 200), ORIGIN, options(kind))
    assert files(tmp_path / "a") == files(tmp_path / "b")
    found = Gallery(tmp_path / "b", None).search(QUERIES.vectors)
    np.testing.assert_array_equal(found.row, expected.row)
    assert "cannot map files; reading vectors.bin into memory" in capsys.readouterr().out


def test_memory_does_not_grow_with_the_gallery(tmp_path):
    pytest.importorskip("faiss", reason="lists of codes need faiss: pip install 'fsclib[gallery]'")
    build(tmp_path / "warm", crowd(2000), ORIGIN, IndexOptions(kind=IVFPQ, lists=8))
    peaks = {}
    for images in (18_000, 90_000):  # shards of 9,000
        gc.collect()
        tracemalloc.start()
        build(tmp_path / str(images), crowd(images), ORIGIN, IndexOptions(kind=IVFPQ, lists=8, dimensions=8))
        peaks[images] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[90_000] < 1.5 * peaks[18_000]  # five times the images; the garbage collector may lag by a shard
    assert peaks[90_000] < 90_000 * 40 * 4  # less than all vectors at once


REFUSED = {
    "dimension": (Cut(some(300, 23)), {}, SearchError, "dimension: 24 in the index, 23 given"),
    "network": (
        Cut(some(300)),
        {"network": "f" * 32},
        SearchError,
        "network: 0123456789abcdef0123456789abcdef in the index, f+ given",
    ),
    "weighting": (Cut(some(300)), {"weighting": "neck"}, SearchError, "weighting: equal in the index, neck given"),
    "mirror": (Cut(some(300)), {"mirror": False}, SearchError, "mirror: True in the index, False given"),
    "none": (Cut(some(0)), {}, ValueError, "shards: found none, expected one or more"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_images_that_do_not_match_the_index_are_refused_before_work(name, tmp_path):
    build(tmp_path / "a", Cut(IMAGES), ORIGIN)
    before = files(tmp_path / "a")
    shards, changes, error, message = REFUSED[name]
    origin = Origin(**{"network": ORIGIN.network} | changes)
    for work in (append, build):
        with pytest.raises(error, match=message):
            work(tmp_path / "a", shards, origin)
    if changes:
        with pytest.raises(SearchError, match="embed the queries like the index, or build an index like the queries"):
            Gallery(tmp_path / "a", origin)
    assert files(tmp_path / "a") == before


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (Entries(np.where(np.eye(300, 24) == 1, np.inf, some(300).vectors), *[np.arange(300)] * 2), "entry 0 is not finite"),
        (Entries(some(300).vectors, np.arange(299), np.arange(300)), "identity: found shape (299,) and int64, expected 300"),
        (Entries(some(300).vectors, np.arange(300), np.arange(300) - 1), "camera: found shape (300,) and int64"),
        (Entries(some(300).vectors, np.arange(300) + 0.5, np.arange(300)), "identity: found shape (300,) and float64"),
        (Entries(some(300).vectors, *[np.arange(300)] * 2, "LLCM, test"), "data: found 'LLCM, test', expected the hash"),
        (Entries(1e9 * some(300).vectors, *[np.arange(300)] * 2), "times as long as the index expects"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_broken_entries_are_refused(entries, message, tmp_path):
    build(tmp_path / "a", Cut(IMAGES), ORIGIN)
    before = files(tmp_path / "a")
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        append(tmp_path / "a", Cut(entries), ORIGIN)
    assert message in str(caught.value)
    assert len(Gallery(tmp_path / "a", None)) == 900
    append(tmp_path / "a", Cut(QUERIES), ORIGIN)
    append(tmp_path / "a", Cut(QUERIES), ORIGIN)  # already there
    assert len(Gallery(tmp_path / "a", None)) == 920
    assert files(tmp_path / "a")["vectors.bin"].startswith(before["vectors.bin"])


@pytest.mark.parametrize(
    ("given", "message"),
    [({"network": "fsc-paper"}, "network: found 'fsc-paper', expected 32"), ({"mirror": 1}, "mirror: found 1, expected True or")],
)
def test_an_invalid_origin_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Origin(**{"network": ORIGIN.network} | given)


@every_kind
def test_the_same_picture_from_another_camera_is_another_image(kind, tmp_path):
    """Adding it only looks like the same command again."""
    build(tmp_path / "a", Cut(IMAGES), ORIGIN, options(kind))
    one, two = IMAGES.of(slice(0, 1)), IMAGES.of(slice(1, 2))
    elsewhere = Entries(one.vectors, one.identity, one.camera + 1, one.data)
    for number, shards in enumerate([Cut(one), Cut(elsewhere), Cut(Entries.joined([two, elsewhere]), 1)]):
        append(tmp_path / "a", shards, ORIGIN)
        append(tmp_path / "a", shards, ORIGIN)
        assert len(Gallery(tmp_path / "a", ORIGIN)) == 900 + [1, 2, 4][number]


def test_a_build_is_not_resumed_with_other_labels(tmp_path):
    interrupt_build(tmp_path / "a", EXACT)
    corrected = Entries(IMAGES.vectors, IMAGES.identity + 1, IMAGES.camera, IMAGES.data)
    with pytest.raises(SearchError, match="was filled with other images than those given"):
        build(tmp_path / "a", Cut(corrected, 100), ORIGIN, options(EXACT))


class Uneven:
    """Shards of these sizes; the first component of a vector is the number of its image."""

    def __init__(self, *sizes):
        self.sizes, self.images = sizes, sum(sizes)

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, shard):
        first, size = sum(self.sizes[:shard]), self.sizes[shard]
        found = some(size)
        found.vectors[:, 0] = np.arange(first, first + size)
        return found


@pytest.mark.parametrize("sizes", [(10, 290), (290, 10), (100,) * 20 + (1,) * 20, (2000, *(1,) * 99), (1,) * 300], ids=str)
def test_a_sample_has_the_requested_size_whatever_the_shards(sizes):
    shards = Uneven(*sizes)
    for number in (2, 256, shards.images - 1, shards.images):
        drawn = building._sample(shards, 24, number)[:, 0]
        assert len(np.unique(drawn)) == len(drawn) == number
        assert (np.diff(drawn) > 0).all()


def test_a_refused_build_changes_nothing(tmp_path):
    build(tmp_path / "a", Cut(IMAGES, 300), ORIGIN, options(EXACT))
    before = files(tmp_path / "a")
    with pytest.raises(SearchError, match="was filled with other images than those given"):
        build(tmp_path / "a", Cut(some(900, seed=9), 300), ORIGIN, IndexOptions(kind=EXACT, lists=8, rerank=7))
    assert files(tmp_path / "a") == before


def test_search_options_of_an_index_may_change(tmp_path):
    pytest.importorskip("faiss", reason="lists of codes need faiss: pip install 'fsclib[gallery]'")
    for probes, rerank in ((2, 200), (5, 0)):
        build(tmp_path / "a", Cut(IMAGES), ORIGIN, IndexOptions(kind=IVFPQ, lists=8, probes=probes, rerank=rerank))
        found = Gallery(tmp_path / "a", ORIGIN).manifest
        assert (found.options.probes, found.options.rerank, found.count) == (probes, rerank, 900)


def test_the_error_for_a_full_disk_does_not_advise_deleting_an_index(tmp_path, monkeypatch):
    pytest.importorskip("faiss", reason="lists of codes need faiss: pip install 'fsclib[gallery]'")

    def reserve(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(codes, "reserve", reserve)
        with pytest.raises(DiskError, match="free some space there and start the same command again"):
            build(tmp_path / "a", Cut(IMAGES), ORIGIN, options(IVFPQ))
    build(tmp_path / "a", Cut(IMAGES), ORIGIN, options(IVFPQ))
    assert len(Gallery(tmp_path / "a", ORIGIN)) == 900


def test_codes_need_enough_images_and_faiss(tmp_path, monkeypatch):
    with pytest.raises(SearchError, match="found 20 images, expected 256 or more to train codes on; build with kind='exact'"):
        build(tmp_path / "a", Cut(QUERIES), ORIGIN, IndexOptions(kind=IVFPQ))
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(SearchError, match=r"pip install 'fsclib\[gallery\]'"):
        library()
    with pytest.raises(SearchError, match=r"pip install 'fsclib\[gallery\]'"):
        build(tmp_path / "a", Cut(IMAGES), ORIGIN, IndexOptions(kind=IVFPQ))
    assert not (tmp_path / "a").exists()
    build(tmp_path / "a", Cut(QUERIES), ORIGIN)  # an exact search works without FAISS
    assert (Gallery(tmp_path / "a", None).search(QUERIES.vectors, 1).similarity > 0).all()


def test_a_second_writer_is_refused(tmp_path):
    with locked(lock_beside(tmp_path / "a"), None), pytest.raises(SearchError, match=r"is being written by process \d+ on"):
        build(tmp_path / "a", Cut(IMAGES), ORIGIN)


def test_a_disk_without_room_is_refused_before_work(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": 1000}))
    with pytest.raises(DiskError, match="the index and its codes need"):
        build(tmp_path / "a", Cut(IMAGES), ORIGIN)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("number", [-5, 900])
def test_an_image_number_out_of_range_is_reported(number, tmp_path):
    options, sizes = IndexOptions(kind=IVFPQ, code=4), np.array([2])
    (tmp_path / "lists").write_bytes(bytes(2 * options.code) + np.array([1, number], "<i8").tobytes())
    with pytest.raises(ValueError, match=f"found image number {number}, expected 0 to 899"):
        list(codes.unmerge(tmp_path / "lists", sizes, options, 900))
