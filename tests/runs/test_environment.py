"""Device and precision, requested or chosen for the machine, and the environment that a run records."""

import json
import subprocess
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fsclib.config import Config, ConfigError
from fsclib.runs import environment as machine
from fsclib.runs.environment import environment, revision
from fsclib.system import device as device_module
from fsclib.system.device import autocast, device_of, precision_of
from workbook.run_options import NamedRunOptions

CPU, GPU, APPLE = torch.device("cpu"), torch.device("cuda"), torch.device("mps")


@pytest.fixture
def gpus(monkeypatch):
    """gpus(count, capability) sets the GPUs that torch sees."""

    def see(count, capability=(9, 0)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)  # but see `apple`

    return see


@pytest.mark.parametrize(
    ("count", "requested", "expected"),
    [(0, "auto", "cpu"), (2, "auto", "cuda"), (2, "cpu", "cpu"), (2, "cuda", "cuda"), (2, "cuda:1", "cuda:1")],
)
def test_device(gpus, count, requested, expected):
    gpus(count)
    assert device_of(requested) == torch.device(expected)


@pytest.mark.parametrize(("count", "requested"), [(0, "cuda"), (0, "cuda:0"), (2, "cuda:2"), (2, "cuda:99")])
def test_a_missing_gpu_is_refused(gpus, count, requested):
    gpus(count)
    with pytest.raises(ValueError, match=f"found '{requested}', but torch sees {count} GPUs here; pass device=cpu or auto"):
        device_of(requested)


@pytest.fixture
def apple(gpus, monkeypatch):
    """An Apple computer, whose GPU torch sees."""
    gpus(0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)


@pytest.mark.parametrize(("requested", "expected"), [("auto", "mps"), ("mps", "mps"), ("cpu", "cpu")])
def test_device_of_an_apple_computer(apple, requested, expected):
    assert device_of(requested) == torch.device(expected)
    assert Config(device=requested).device == NamedRunOptions(device=requested).device == requested


def test_nvidia_gpus_come_before_apple_ones(gpus, monkeypatch):
    gpus(1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_of("auto") == torch.device("cuda")


def test_an_apple_gpu_computes_in_float32_by_default(apple):
    assert precision_of("auto", APPLE) == torch.float32


def test_an_apple_gpu_is_described_by_its_computer(apple):
    assert device_module.name_of(APPLE) == device_module.name_of(CPU)
    assert device_module.peak_memory(APPLE) == pytest.approx(device_module.peak_memory(CPU), rel=0.1)


def test_a_missing_apple_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="found 'mps', but torch sees no Apple GPU here; pass device=cpu or auto"):
        device_of("mps")


@pytest.mark.parametrize("device", ["mps:0", "metal", "apple"])
def test_other_names_of_apple_gpus_are_refused(device):
    with pytest.raises(ConfigError, match=f"device: found '{device}', expected auto, cpu, cuda, cuda:N or mps"):
        Config(device=device)


@pytest.mark.parametrize("device", [CPU, GPU, APPLE])
def test_requested_precision(gpus, device):
    gpus(1, (7, 5))
    assert precision_of("float32", device) == torch.float32
    assert precision_of("bfloat16", device) == torch.bfloat16


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((12, 0), torch.bfloat16)])
def test_precision_of_a_gpu(gpus, capability, expected):
    gpus(1, capability)
    assert precision_of("auto", GPU) == expected


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, torch.bfloat16), ({"amx_bf16": False, "avx512_bf16": True}, torch.bfloat16), ({}, torch.float32)],
)
def test_precision_of_a_processor(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision_of("auto", CPU) == expected


def test_precision_if_torch_cannot_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision_of("auto", CPU) == torch.float32


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_autocast_multiplies_in_the_given_precision(precision):
    a = torch.ones(4, 4)
    with autocast(CPU, precision):
        assert (a @ a).dtype == precision
    assert (a @ a).dtype == torch.float32


def test_environment_can_be_stored_as_json():
    found = environment(CPU, torch.bfloat16, SimpleNamespace(data_hash="d1", pixels_hash="p1", synthetic=True))
    assert json.loads(json.dumps(found)) == found
    assert (found["precision"], found["packages"]["torch"]) == ("bfloat16", torch.__version__)
    assert (found["data_hash"], found["pixels_hash"], found["synthetic"]) == ("d1", "p1", True)
    assert found["device"]


def test_environment_names_the_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device}")
    images = SimpleNamespace(data_hash="", pixels_hash="", synthetic=False)
    assert environment(GPU, torch.float32, images)["device"] == "GPU cuda"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty repository from which machine.py seems to run; git(*words) runs git in it."""
    file = tmp_path / "fsclib" / "machine.py"
    file.parent.mkdir()
    file.write_text("a = 1\n")
    monkeypatch.setattr(machine, "__file__", str(file))

    def git(*words):
        name = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    return namedtuple("Checkout", "file git")(file, git)


def test_revision_of_a_checkout(checkout):
    checkout.git("add", ".")
    checkout.git("commit", "-m", "first")
    head = checkout.git("rev-parse", "HEAD")
    assert revision() == head
    (checkout.file.parent / "untracked.py").write_text("")
    assert revision() == head
    checkout.file.write_text("a = 2\n")
    assert revision() == f"{head}+changes"


def test_a_surrounding_repository_without_our_files_is_ignored(checkout):
    (checkout.file.parent.parent / "other.txt").write_text("")
    checkout.git("add", "other.txt")
    checkout.git("commit", "-m", "first")
    assert revision() == ""


def test_revision_without_git_or_repository(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "machine.py"))
    assert revision() == ""
    monkeypatch.setenv("PATH", str(Path("nowhere")))
    assert revision() == ""


def test_a_processor_has_its_model_name(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some  Processor @ 3 GHz\nmodel name\t: other\n")
    monkeypatch.setattr(device_module, "Path", lambda name: tmp_path / Path(name).name)
    assert device_module.name_of(CPU) == "Some Processor @ 3 GHz"
    (tmp_path / "cpuinfo").unlink()
    monkeypatch.setattr(device_module.platform, "processor", lambda: "")
    assert device_module.name_of(CPU) == device_module.platform.machine()
