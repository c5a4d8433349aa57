"""A training is refused before anything is decoded if the disk has no room for it."""

import errno
from types import SimpleNamespace

import pytest
import torch

from fsclib import runs
from fsclib.runs import checkpoint
from fsclib.runs.assemble import network_of
from fsclib.system import disk_space
from fsclib.system.disk_space import DiskError
from fsclib.training import loop, preparation
from fsclib.training.disk_space import needed
from fsclib.training.settings import settings_of


@pytest.fixture
def free(monkeypatch):
    """free(n): n bytes are free on every disk."""
    return lambda size: monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda folder: SimpleNamespace(free=size))


def test_the_size_of_a_checkpoint_is_predicted(tiny, tmp_path):
    config = tiny()
    net = network_of(config, 5, init=False)
    optimizer = settings_of(config).optimization.build(net)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    checkpoint.write(tmp_path / "last", net, optimizer, {})
    checkpoint.write(tmp_path / "best", net, None, {})
    sizes = [(tmp_path / name).stat().st_size for name in ("last", "best")]
    assert checkpoint.size(net, momenta=True) == pytest.approx(sizes[0], rel=0.02)
    assert checkpoint.size(net, momenta=False) == pytest.approx(sizes[1], rel=0.02)
    assert needed(lambda: network_of(config, 5, init=False), momenta=1) == pytest.approx(2 * sizes[0] + sizes[1], rel=0.02)


def test_a_training_without_disk_space_is_refused_before_decoding(home, tiny, monkeypatch, free):
    monkeypatch.setattr(preparation, "images_of", lambda config: pytest.fail("decoded"))
    free(needed(lambda: network_of(tiny(), 8, init=False), momenta=1) // 2)
    message = r"results/llcm/full cannot be written \(its checkpoints need \d+ MB, \d+ MB are free\)"
    with pytest.raises(DiskError, match=message) as caught:
        loop.fit(tiny(name="full"))
    assert caught.value.errno == errno.ENOSPC
    assert not (home / "results/llcm/full").exists()


def test_space_taken_by_existing_checkpoints_need_not_be_free(home, tiny, free):
    config = tiny(name="later")
    total = needed(lambda: network_of(config, 8, init=False), momenta=1)
    folder = runs.folder_of(config) / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "last.safetensors").write_bytes(bytes(1000))
    free(total - 1000)
    preparation.check_disk(config, 8)
    free(total - 1001)
    with pytest.raises(DiskError):
        preparation.check_disk(config, 8)
    with pytest.raises(DiskError):
        preparation.check_disk(tiny(name="later", resume=False), 8)


def test_a_finished_run_needs_no_space(home, tiny, free):
    config = tiny(name="done")
    runs.folder_of(config).mkdir(parents=True)
    (runs.folder_of(config) / "metrics.json").write_text("{}")
    free(0)
    preparation.check_disk(config, 8)


def test_a_network_that_cannot_be_measured_is_not_refused(home, tiny, monkeypatch, free):
    def reads_its_weights(*arguments, **options):
        return torch.ones(1).item()

    monkeypatch.setattr(preparation, "network_of", reads_its_weights)
    free(0)
    preparation.check_disk(tiny(), 8)
