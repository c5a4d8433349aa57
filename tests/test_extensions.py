"""The README's example of a network and a module of one's own, installed as a package would be, trained and tested."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY

README = Path(__file__).parent.parent / "README.md"
SCRIPT = f"""
from fsclib import runs
from fsclib.config import Config
from fsclib.training.loop import fit

small = {TINY | {"dataset": "llcm", "epochs": 1, "decay": ()}}
for values in ({{"network": "stripes"}}, {{"modules": "frequency,squeeze", "name": "squeezed"}}):
    run = fit(Config(**small, **values))
    print(run.config.name, run.config.loss, run.config.erase, run.config.modules, run.finished)
print(sorted(runs.table()["network"]))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path):
    """The example as an installed package: the module, and the metadata that names it."""
    folder = tmp_path / "packages"
    information = folder / "mine-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "my_networks.py").write_text(next(block for block in blocks("python") if "my_networks.py" in block))
    entry = re.search(r"^mine = \"(my_networks)\"$", "".join(blocks("toml")), re.MULTILINE)[1]
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[fsclib]\nmine = {entry}\n")
    return folder


def run(script: str, package: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(package)}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)


def test_the_example_of_the_readme_trains_and_is_tested(home, package):
    done = run(SCRIPT, package)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert "stripes-tiny-seed0 agw 0.2 () True" in lines
    assert "squeezed fsc 0.5 ('frequency', 'squeeze') True" in lines
    assert lines[-1] == "['fsc', 'stripes']"


def test_an_extension_that_cannot_be_imported_is_named(package):
    (package / "my_networks.py").write_text("import nowhere")
    done = run("from fsclib.config import Config; Config()", package)
    assert done.returncode != 0
    assert "mine extends fsclib by my_networks, which cannot be imported" in done.stderr
