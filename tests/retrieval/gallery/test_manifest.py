"""Index folders from untrusted sources: searched, or refused with the name of the file and a remedy."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from searching import ORIGIN, files, some

from fsclib.retrieval.gallery import EXACT, IVFPQ, Cut, Gallery, IndexOptions, SearchError, append, build, manifest

faiss = pytest.importorskip("faiss", reason="lists of codes need faiss: pip install 'fsclib[gallery]'")
IMAGES, QUERIES = some(600, seed=5), some(10, seed=6)
FIX = "restore the folder from its source, or delete it and build the index again"


@pytest.fixture
def folder(tmp_path):
    build(tmp_path / "a", Cut(IMAGES, 200), ORIGIN, IndexOptions(kind=IVFPQ, lists=8))
    return tmp_path / "a"


def change_manifest(folder, *place, to):
    """Replaces the value at a place of index.json, or deletes it if `to` is None."""
    file = folder / "index.json"
    content = part = json.loads(file.read_text())
    for name in place[:-1]:
        part = part[name]
    if to is None:
        del part[place[-1]]
    else:
        part[place[-1]] = to
    file.write_text(json.dumps(content))


VALUES = [
    (("format",), 2), (("format",), True), (("format",), "1"), (("dimension",), 23), (("dimension",), -1),
    (("dimension",), 2.0), (("dimension",), 1 << 60), (("merged",), 4), (("merged",), -1), (("merged",), 2), (("origin",), []),
    (("origin", "network"), "x"), (("origin", "weighting"), "odd"), (("origin", "mirror"), 1),
    (("origin", "weighting"), []), (("origin", "path"), "/etc"),
    (("options",), None), (("options",), []),
    (("options", "kind"), "auto"), (("options", "kind"), EXACT), (("options", "lists"), "auto"), (("options", "lists"), 10**9),
    (("options", "code"), 7), (("options", "dimensions"), 4096), (("options", "probes"), 9), (("options", "x"), 1),
    (("shards",), {}), (("shards", 0), None), (("shards", 0, "count"), 0), (("shards", 0, "count"), 10**18),
    (("shards", 0, "count"), 1.5), (("shards", 0, "vectors"), "../x"), (("shards", 0, "codes"), ""), (("shards", 0, "data"), "\n"),
    (("files",), {}), (("files", "../../x"), "0" * 32), (("files", "reduction.safetensors"), 5), (("seconds",), {"x": 1}),
    (("seconds", "filling"), float("nan")), (("seconds", "filling"), -1), (("extra",), 1),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value"), VALUES, ids=str)
def test_invalid_entries_are_refused(folder, place, value):
    change_manifest(folder, *place, to=value)
    for work in (lambda folder: Gallery(folder, None), lambda folder: append(folder, Cut(QUERIES), ORIGIN)):
        with pytest.raises(SearchError, match=r"index.json|vectors.bin|lists-|sizes-|reduction"):
            work(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"format": 1}', "\x00", "9" * 5000])
def test_an_invalid_or_missing_manifest_is_refused(folder, text):
    (folder / "index.json").write_text(text)
    with pytest.raises(SearchError, match=r"index\.json: cannot be used .*" + FIX):
        Gallery(folder, None)
    with pytest.raises(SearchError, match=r"is not an index \(it has no index.json\)"):
        Gallery(folder.parent, None)


NAMES = ["vectors.bin", "labels.bin", "lists-00003.bin", "sizes-00003.safetensors", "reduction.safetensors", "codebook.safetensors"]


@pytest.mark.parametrize("name", NAMES)
def test_truncated_damaged_or_missing_files_are_refused(folder, name):
    file = folder / name
    whole = file.read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], b""):
        file.write_bytes(content)
        for verify in (True, False):
            with pytest.raises(SearchError, match=name):
                Gallery(folder, None, verify=verify)
    file.write_bytes(whole[:-10] + bytes([whole[-10] ^ 1]) + whole[-9:])
    with pytest.raises(SearchError, match=r"found hash [0-9a-f]{32}, expected [0-9a-f]{32}"):
        Gallery(folder, None)
    file.unlink()
    with pytest.raises(SearchError, match=name):
        Gallery(folder, None, verify=False)
    file.write_bytes(whole)
    assert len(Gallery(folder, None)) == 600


def test_image_numbers_are_checked_even_without_verifying_hashes(folder):
    file = folder / "lists-00003.bin"
    content = np.fromfile(file, np.uint8)
    content[:] = 255
    for value in (255, 127):  # −1, and far past the last image
        content[:] = value
        content.tofile(file)
        found = Gallery(folder, None, verify=False)
        if value == 127:
            with pytest.raises(SearchError, match="found image 9187201950435737471, expected a number below 600"):
                found.search(QUERIES.vectors, probes=8)
        else:
            assert (found.search(QUERIES.vectors, probes=8).row == -1).all()
        assert (found.search(QUERIES.vectors, cameras=(1,), probes=8).row == -1).all()
        with pytest.raises(SearchError, match="expected 0 to 599"):
            append(folder, Cut(QUERIES), ORIGIN)


def test_a_number_just_past_the_last_image_is_checked_before_its_camera(folder):
    """The bitmap of cameras has one bit per image; FAISS takes its length in bytes."""
    options = manifest.read(folder).options
    sizes = load_file(folder / "sizes-00003.safetensors")["sizes"]
    content, at = bytearray((folder / "lists-00003.bin").read_bytes()), 0
    for size in sizes.tolist():
        at += size * options.code
        for place in range(at, at + 8 * size, 8):
            content[place : place + 8] = int(600 + 8 * (place % 500)).to_bytes(8, "little")
        at += 8 * size
    (folder / "lists-00003.bin").write_bytes(content)
    found = Gallery(folder, None, verify=False)
    assert (found.search(QUERIES.vectors, cameras=(1, 2), probes=8).row == -1).all()


@pytest.mark.parametrize("sizes", [[600, *[0] * 6, 1], [-1, 601, *[0] * 6], [2**62, 600 - 2**62, *[0] * 6], [600]])
def test_inconsistent_list_sizes_are_refused(folder, sizes):
    save_file({"sizes": np.array(sizes, np.int64)}, folder / "sizes-00003.safetensors")
    with pytest.raises(SearchError, match="sizes"):
        Gallery(folder, None, verify=False)


@pytest.mark.parametrize("name", ["reduction.safetensors", "codebook.safetensors"])
@pytest.mark.parametrize("change", ["shape", "kind", "nan", "missing"])
def test_arrays_of_another_shape_or_kind_are_refused(folder, name, change):
    arrays = load_file(folder / name)
    first = sorted(arrays)[0]
    if change == "missing":
        del arrays[first]
    else:
        array = arrays[first]
        arrays[first] = {"shape": array[:1], "kind": array.astype(np.float64), "nan": array * np.nan}[change]
    save_file(arrays, folder / name)
    with pytest.raises(SearchError, match=name):
        Gallery(folder, None, verify=False)


def test_codes_waiting_to_be_merged_are_checked(folder, monkeypatch):
    def killed(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fsclib.retrieval.gallery.codes.merge", killed)
        with pytest.raises(KeyboardInterrupt):
            append(folder, Cut(QUERIES), ORIGIN)
    file = folder / "codes-00003.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(SearchError, match=r"codes-00003.*differs from what was written"):
        append(folder, Cut(QUERIES), ORIGIN)
    assert len(Gallery(folder, None)) == 600
    file.write_bytes(whole)
    append(folder, Cut(QUERIES), ORIGIN)
    assert len(Gallery(folder, None)) == 610
    assert not list(folder.glob("codes-*"))
    assert "lists-00004.bin" in files(folder)
