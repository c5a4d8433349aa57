"""safetensors files are memory-mapped where possible and read otherwise; broken ones are refused."""

import errno

import pytest
import torch
from safetensors import SafetensorError, safe_open

from fsclib.retrieval import features as embedding_features
from fsclib.runs import checkpoint
from fsclib.system import disk_space, storage
from fsclib.system.tensor_files import open_tensors, write_tensors

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2]), "c": torch.ones(3, dtype=torch.float16)}


@pytest.fixture
def unmapped(monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(disk_space.mmap, "mmap", refuse)


@pytest.fixture
def file(tmp_path):
    write_tensors(tmp_path / "t.safetensors", TENSORS, {"x": "y"})
    return tmp_path / "t.safetensors"


def test_a_file_is_mapped_if_possible(file):
    with open_tensors(file) as found:
        assert isinstance(found, safe_open)


def test_a_file_that_cannot_be_mapped_is_read(file, unmapped):
    with open_tensors(file) as found:
        assert not isinstance(found, safe_open)
        assert found.metadata() == {"x": "y"}
        assert sorted(found.keys()) == sorted(TENSORS)
        for name, value in TENSORS.items():
            assert torch.equal(found.get_tensor(name), value)
            assert found.get_tensor(name).dtype == value.dtype


def test_a_file_without_metadata(tmp_path, unmapped):
    write_tensors(tmp_path / "t", TENSORS, {})
    with open_tensors(tmp_path / "t") as found:
        assert not found.metadata()


@pytest.mark.parametrize("content", [b"", b"text", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0[]"])
def test_a_broken_file_is_refused_without_mapping_too(tmp_path, content, unmapped):
    (tmp_path / "t").write_bytes(content)
    with pytest.raises((SafetensorError, OSError)), open_tensors(tmp_path / "t"):
        pass
    with pytest.raises(checkpoint.CheckpointError, match="not a readable checkpoint"):
        checkpoint.state(tmp_path / "t")
    assert embedding_features.read_features(tmp_path / "t", {}) is None


def test_no_other_file_is_written(tmp_path, monkeypatch):
    """safetensors' own save_file writes a second one, which a killed process would leave behind."""
    seen = []
    monkeypatch.setattr(storage, "_flush", lambda path: seen.append(sorted(file.name for file in tmp_path.iterdir())))
    write_tensors(tmp_path / "t", TENSORS, {})
    (part,), after = seen
    assert part.startswith("t.")
    assert storage.temporary_for(part) == "t"
    assert after == ["t"]
