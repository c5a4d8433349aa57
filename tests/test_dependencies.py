"""Each package imports only what its extras in pyproject.toml install; the library works without Jupyter."""

import ast
import functools
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"fsclib", "workbook", "synthpeople"}
INDIRECT = {"ipython", "traitlets", "markupsafe"}  # dependencies of jupyterlab, ipywidgets and jinja2


def installed_by(*extras: str) -> set[str]:
    """Names of the distributions that fsclib with these extras requires."""
    requirements = PROJECT["dependencies"] + [word for extra in extras for word in PROJECT["optional-dependencies"][extra]]
    return {re.match(r"[\w.-]+", word)[0].lower() for word in requirements}


distributions = functools.cache(packages_distributions)  # it reads every installed package, which takes seconds


def imported_by(package: str) -> set[str]:
    """Names of the distributions that a package's files import, at module level or in a function."""
    names = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition(".")[0])
    known = distributions()
    return {known[name][0].lower() for name in names - OURS - set(sys.stdlib_module_names)}


@pytest.mark.parametrize(
    ("package", "extras", "indirect"),
    [("synthpeople", (), set()), ("fsclib", ("gallery", "export"), set()), ("workbook", ("workbook", "slurm"), INDIRECT)],
)
def test_a_package_imports_only_what_its_extras_install(package, extras, indirect):
    found = imported_by(package)
    assert "numpy" in found
    assert found <= installed_by(*extras) | indirect


def test_the_library_alone_installs_neither_jupyter_nor_the_tools():
    jupyter = {"jupyterlab", "papermill", "ipywidgets", "nbconvert", "nbformat"}
    assert jupyter <= installed_by("workbook") - installed_by()
    assert not {"pytest", "ruff", "submitit", "faiss-cpu"} & installed_by()


def test_the_dev_extra_covers_notebooks_galleries_and_clusters():
    assert any(word.startswith("fsclib[workbook,gallery,slurm,timm,export]") for word in PROJECT["optional-dependencies"]["dev"])
    assert "-e .[dev]" in (ROOT / "environment.yml").read_text()
