"""Importing fsclib and making a Config loads no heavy package; names that need torch are imported on first use."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import fsclib
import workbook
from fsclib.config import registry
from fsclib.losses import LOSSES
from fsclib.models.backbone import BACKBONES
from fsclib.models.fsc import PUBLISHED
from fsclib.models.networks import NETWORKS, FSCNet


def test_importing_and_configuring_need_no_torch():
    program = (
        "import sys, fsclib; fsclib.Config(dataset='llcm'); print({'torch', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize("name", fsclib.__all__)
def test_every_public_name_exists(name):
    assert getattr(fsclib, name) is getattr(fsclib, name)
    assert name in dir(fsclib)


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fsclib.nothing


def test_names_known_without_torch_match_the_classes():
    assert registry.NETWORKS.own == tuple(NETWORKS)
    assert registry.LOSSES.own == tuple(LOSSES)
    assert registry.BACKBONES.own == tuple(BACKBONES)
    assert registry.MODULES.own == PUBLISHED
    assert {name for name, network in NETWORKS.items() if issubclass(network, FSCNet)} == set(registry.EXPANDING)


def test_every_exception_is_an_fsclib_error():
    """Except in synthpeople, which does not import fsclib."""
    found = []
    for package in (fsclib, workbook):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            classes = vars(importlib.import_module(module.name)).values()
            found += [c for c in classes if isinstance(c, type) and issubclass(c, Exception) and c.__module__ == module.name]
    assert len(found) > 15
    assert [c for c in found if not issubclass(c, fsclib.FsclibError)] == []


def test_without_flock_and_resource_everything_imports_with_one_warning(tmp_path):
    """As on Windows, which has neither module."""
    program = f"""
import sys
from pathlib import Path
sys.modules.update(fcntl=None, resource=None)
import fsclib.inference.embedder, fsclib.training.loop, workbook.run_options, synthpeople.generate
from fsclib.system.locks import locked
from fsclib.system.storage import write_text
for _ in range(2):
    with locked(Path({str(tmp_path / "lock")!r}), None):
        write_text(Path({str(tmp_path / "file")!r}), "whole")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "whole"
    assert done.stdout.count("no flock") == len(done.stdout.splitlines()) == 1
