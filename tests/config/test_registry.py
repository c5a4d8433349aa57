"""The README's examples of a network, a module and a data set, installed like a package, are trained and tested."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY

from fsclib.config.specs import LLCM

README = Path(__file__).parents[2] / "README.md"
SCRIPT = f"""
from fsclib import runs
from fsclib.config import Config
from fsclib.data.datasets import open_dataset
from fsclib.training.loop import fit
from workbook.run_options import RunOptions

print(RunOptions(dataset="campus").dataset, open_dataset("campus").records.equals(open_dataset("llcm").records))
print(Config(dataset="campus").name, Config(init="campus/first").init)
small = {TINY | {"dataset": "llcm", "epochs": 1, "decay": ()}}
for values in ({{"network": "stripes"}}, {{"modules": "frequency,squeeze", "name": "squeezed"}}, {{"dataset": "campus"}}):
    run = fit(Config(**small | values))
    print(run.config.name, run.config.loss, run.config.erase, run.config.modules, run.finished)
    found = runs.load(run.config.dataset, run.config.name)
    print(found.config.dataset, *sorted(set(found.read_table("trials")["mode"])), found.finished)
print(sorted(runs.table()["network"]))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path):
    """The examples as an installed package: the modules, and the metadata that registers them."""
    folder = tmp_path / "packages"
    information = folder / "mine-1.0.dist-info"
    information.mkdir(parents=True)
    for name in ("my_networks.py", "my_data.py"):
        (folder / name).write_text(next(block for block in blocks("python") if name in block))
    entry = re.search(r"^mine = \"(my_networks)\"$", "".join(blocks("toml")), re.MULTILINE)[1]
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[fsclib]\nmine = {entry}\ndata = my_data\n")
    return folder


def run(script: str, package: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(package)}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)


def test_the_examples_of_the_readme_train_and_are_tested(home, package):
    llcm = (home / "data" / LLCM.folder).resolve()
    (home / "data").unlink()
    (home / "data").mkdir()
    for name in (LLCM.folder, "Campus"):
        (home / "data" / name).symlink_to(llcm)
    done = run(SCRIPT, package)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert "stripes-tiny-seed0 agw 0.2 () True" in lines
    assert "squeezed fsc 0.5 ('frequency', 'squeeze') True" in lines
    assert lines[:2] == ["campus True", "fsc-small-seed0 campus/first"]
    assert "campus as-coded paper True" in lines
    assert lines[-1] == "['fsc', 'fsc', 'stripes']"


def test_an_extension_that_cannot_be_imported_is_named(package):
    (package / "my_networks.py").write_text("import nowhere")
    done = run("from fsclib.config import Config; Config()", package)
    assert done.returncode != 0
    assert "mine extends fsclib by my_networks, which cannot be imported" in done.stderr
