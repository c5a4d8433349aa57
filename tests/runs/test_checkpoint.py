"""Checkpoints resume a training exactly, survive a full disk, and are refused if broken or foreign."""

import errno
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fsclib.runs import checkpoint
from fsclib.runs.checkpoint import CheckpointError
from fsclib.system.storage import HOST, PART

STATE = {"epoch": 3, "best": 12.345678901234567, "best_epoch": None, "recipe": {"lr": 0.1, "decay": [20, 80]}}


def network(width=4, seed=0, memory_format=torch.channels_last):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2)]
    return nn.Sequential(*layers).to(memory_format=memory_format)


def sgd(net, lr=0.1):
    """Two groups and Nesterov momentum, as in training."""
    groups = [{"params": net[-1].parameters(), "lr": lr}, {"params": net[:-1].parameters(), "lr": lr / 10}]
    return torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=5e-4)


def train(net, optimizer, steps):
    for step in steps:
        images = torch.randn(8, 3, 9, 7, generator=torch.Generator().manual_seed(step))
        loss = net(images.to(memory_format=torch.channels_last)).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def copied(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def assert_equal(net, expected):
    found = net.state_dict()
    assert found.keys() == expected.keys()
    assert [name for name, value in expected.items() if not torch.equal(found[name], value)] == []


@pytest.fixture
def saved(tmp_path):
    """A network and optimiser after two steps, and the file they were written to."""
    net = network()
    optimizer = sgd(net)
    train(net, optimizer, [0, 1])
    file = tmp_path / "last.safetensors"
    checkpoint.write(file, net, optimizer, STATE)
    return net, optimizer, file


@pytest.mark.parametrize("make", [sgd, lambda net: torch.optim.AdamW(net.parameters(), lr=0.01)])
def test_steps_after_reading_equal_uninterrupted_ones(tmp_path, make):
    net = network()
    optimizer = make(net)
    train(net, optimizer, [0, 1])
    checkpoint.write(tmp_path / "c", net, optimizer, STATE)
    train(net, optimizer, [2, 3])

    other = network(seed=1)
    resumed = make(other)
    train(other, resumed, [7])  # its previous state must leave no trace
    assert checkpoint.read(tmp_path / "c", other, resumed) == STATE
    train(other, resumed, [2, 3])
    assert_equal(other, net.state_dict())
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        assert optimizer.state[a].keys() == resumed.state[b].keys()
        assert all(torch.equal(optimizer.state[a][key], resumed.state[b][key]) for key in optimizer.state[a])
    assert [group["lr"] for group in resumed.param_groups] == [group["lr"] for group in optimizer.param_groups]


def test_momentum_is_restored_in_the_memory_format_of_its_parameter(saved):
    net = network(seed=1)
    optimizer = sgd(net)
    checkpoint.read(saved[2], net, optimizer)
    momentum = optimizer.state[net[0].weight]["momentum_buffer"]
    assert momentum.stride() == net[0].weight.stride() == network()[0].weight.stride()


def test_learning_rates_are_read_from_the_file(saved):
    net = network()
    optimizer = sgd(net, lr=5.0)
    checkpoint.read(saved[2], net, optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]


def test_a_checkpoint_without_an_optimiser(tmp_path, saved):
    checkpoint.write(tmp_path / "best", saved[0], None, STATE)
    net = network(seed=1)
    assert checkpoint.read(tmp_path / "best", net) == STATE == checkpoint.state(tmp_path / "best")
    assert_equal(net, saved[0].state_dict())
    before = copied(net)
    with pytest.raises(CheckpointError, match=r"contains no optimiser state.*last\.safetensors"):
        checkpoint.read(tmp_path / "best", net, sgd(net))
    assert_equal(net, before)


def test_a_network_with_tied_weights_is_saved_and_resumed(tmp_path):
    def tied():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3), nn.Flatten(), nn.Linear(45, 2))
        net[1].weight = net[0].weight
        net.register_buffer("mean", net[3].bias.detach()[:1])  # a view of a parameter
        return net, sgd(net)

    (net, optimizer), (other, resumed) = tied(), tied()
    train(net, optimizer, range(3))
    checkpoint.write(tmp_path / "last.safetensors", net, optimizer, {"epoch": 0})
    checkpoint.read(tmp_path / "last.safetensors", other, resumed)
    assert other[1].weight is other[0].weight
    train(net, optimizer, range(3, 6))
    train(other, resumed, range(3, 6))
    assert_equal(other, net.state_dict())


def test_the_memory_format_does_not_change_the_file(tmp_path):
    for name, memory_format in (("a", torch.channels_last), ("b", torch.contiguous_format)):
        checkpoint.write(tmp_path / name, network(memory_format=memory_format), None, STATE)
    assert checkpoint.fingerprint(tmp_path / "a") == checkpoint.fingerprint(tmp_path / "b")
    checkpoint.write(tmp_path / "b", network(seed=1), None, STATE)
    assert checkpoint.fingerprint(tmp_path / "a") != checkpoint.fingerprint(tmp_path / "b")


def test_a_full_disk_keeps_the_previous_checkpoint(saved, monkeypatch):
    net, optimizer, file = saved
    before = file.read_bytes()
    train(net, optimizer, [2])

    class FullDisk:
        def __init__(self, handle):
            self.handle = handle

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.handle.close()

        def write(self, content):
            self.handle.write(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    real = Path.open

    def opened(path, *words, **options):
        found = real(path, *words, **options)
        return FullDisk(found) if path.suffix == PART and words == ("wb",) else found

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(CheckpointError, match=r"No space left on device.*the previous one is intact"):
        checkpoint.write(file, net, optimizer, STATE)
    with pytest.raises(CheckpointError, match="there is no previous one"):
        checkpoint.write(file.with_name("best.safetensors"), net, None, STATE)
    monkeypatch.undo()
    assert [found.name for found in file.parent.iterdir()] == [file.name]
    assert file.read_bytes() == before
    assert checkpoint.read(file, network(), sgd(network())) == STATE


def test_a_file_size_limit_keeps_the_previous_checkpoint(tmp_path):
    pytest.importorskip("resource")
    program = """
import resource, sys
from pathlib import Path
from torch import nn
from fsclib.runs import checkpoint
file = Path(sys.argv[1])
checkpoint.write(file, nn.Linear(8, 8), None, {"epoch": 0})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    checkpoint.write(file, nn.Linear(100, 100), None, {"epoch": 1})
except checkpoint.CheckpointError as error:
    print(error)
"""
    file = tmp_path / "last.safetensors"
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)
    assert "could not be written (File too large); the previous one is intact" in done.stdout
    assert [found.name for found in tmp_path.iterdir()] == [file.name]
    assert checkpoint.read(file, nn.Linear(8, 8)) == {"epoch": 0}


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere.*could not be written"):
        checkpoint.write(tmp_path / "nowhere" / "last.safetensors", network(), None, STATE)


def test_the_partial_file_of_a_killed_process_is_ignored_and_removed(saved):
    net, optimizer, file = saved
    part = file.with_name(f"{file.name}.0123abcd.{HOST}{PART}")
    part.write_bytes(file.read_bytes()[:100])
    assert checkpoint.state(file) == STATE
    checkpoint.write(file, net, optimizer, STATE | {"epoch": 4})
    assert checkpoint.state(file)["epoch"] == 4
    assert not part.exists()


class Trap:
    """Fails the test if it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was executed",)


def foreign(kind, file):
    whole = file.read_bytes()
    if kind == "pickle":
        return file.write_bytes(pickle.dumps({"model": Trap()}))
    if kind == "torch":
        return torch.save({"model": Trap()}, file)
    if kind == "other program":
        return save_file({"weight": torch.ones(2)}, file, {"format": "pt"})
    if kind == "no header":
        return save_file({"weight": torch.ones(2)}, file)
    if kind == "broken header":
        return save_file({"weight": torch.ones(2)}, file, {checkpoint.FORMAT: "{"})
    if kind == "folder":
        file.unlink()
        return file.mkdir()
    return file.write_bytes({"empty": b"", "text": b"epoch,lr\n" * 50, "truncated": whole[:-1], "head": whole[:40]}[kind])


KINDS = ["pickle", "torch", "other program", "no header", "broken header", "folder", "empty", "text", "truncated", "head"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_or_foreign_file_is_refused_and_changes_nothing(saved, kind):
    net, optimizer, file = saved
    foreign(kind, file)
    before = copied(net)
    momentum = [value["momentum_buffer"].clone() for value in optimizer.state.values()]
    for reading in (lambda: checkpoint.read(file, net, optimizer), lambda: checkpoint.state(file)):
        with pytest.raises(CheckpointError, match=r"last\.safetensors: (not a readable checkpoint|found header entries)"):
            reading()
    assert_equal(net, before)
    assert all(torch.equal(a, b["momentum_buffer"]) for a, b in zip(momentum, optimizer.state.values(), strict=True))


def test_the_error_for_a_missing_file_says_what_to_do(tmp_path):
    for reading in (checkpoint.state, checkpoint.fingerprint, lambda file: checkpoint.read(file, network())):
        with pytest.raises(CheckpointError, match="no such checkpoint; train the run first"):
            reading(tmp_path / "best.safetensors")


def test_another_network_is_refused_with_every_difference(saved):
    other = network(width=5)
    other.append(nn.Linear(2, 2))
    optimizer, before = sgd(other), copied(other)
    vectors = ("0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(saved[2], other, optimizer)
    assert str(caught.value).splitlines()[1:] == [
        "  6.weight: not in the checkpoint",
        "  6.bias: not in the checkpoint",
        "  0.weight: found shape (4, 3, 3, 3), expected (5, 3, 3, 3)",
        *[f"  {name}: found shape (4,), expected (5,)" for name in vectors],
        "  5.weight: found shape (2, 4), expected (2, 5)",
    ]
    assert_equal(other, before)
    assert optimizer.state == {}


def test_unknown_entries_are_listed(saved):
    with pytest.raises(CheckpointError, match=r"5\.bias: unknown to this network\n  5\.weight: unknown to this network$"):
        checkpoint.read(saved[2], network()[:-1])


def test_the_first_of_many_differences_are_listed_and_the_rest_counted(saved):
    many = nn.Sequential(*[nn.Linear(1, 1) for _ in range(100)])
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(saved[2], many)
    lines = str(caught.value).splitlines()
    named = sum(": " in line for line in lines[1:])
    left = int(lines[-1].split()[-2])
    own, found = many.state_dict(), saved[0].state_dict()
    shared = [name for name in own if name in found]
    assert named + left == len(own) + len(found) - len(shared) - sum(own[n].shape == found[n].shape for n in shared)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (lambda net: [{"params": net.parameters()}], r"groups of \[2, 4\] parameters, expected \[6\]"),
        (lambda net: [{"params": net[0].parameters()}, {"params": [*net[1].parameters(), *net[5].parameters()]}], "found shape"),
    ],
)
def test_another_optimiser_is_refused_and_changes_nothing(saved, groups, expected):
    net = network(seed=1)
    optimizer, before = torch.optim.SGD(groups(net), lr=0.1, momentum=0.9), copied(net)
    with pytest.raises(CheckpointError, match=expected):
        checkpoint.read(saved[2], net, optimizer)
    assert_equal(net, before)
    assert optimizer.state == {}
    assert optimizer.param_groups[0]["lr"] == 0.1
