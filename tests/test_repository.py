"""Conventions of the repository: one list of dependencies, plotting only in figures, modules of limited length."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
MODULES = sorted(file for name in ("fsclib", "workbook", "synthpeople") for file in (REPOSITORY / name).rglob("*.py"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def test_environment_yml_takes_its_packages_from_pyproject():
    text = (REPOSITORY / "environment.yml").read_text()
    entries = re.findall(r"^\s+- (\S.*?)\s*$", text, re.MULTILINE)
    assert entries == ["conda-forge", f"python{PROJECT['requires-python']},<3.14", "pip", "pip:", "-e .[dev]"]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_modules_are_short_and_only_figures_plot(file):
    assert len(file.read_text().splitlines()) <= 350
    drawing = {name for name in imports(file) if name.partition(".")[0] in ("matplotlib", "seaborn")}
    assert not drawing or "figures" in file.parts


def test_ci_runs_the_test_commands_of_the_readme():
    assert re.search(r"^make test$", (REPOSITORY / ".ci/run").read_text(), re.MULTILINE)
    assert re.search(r"^make test-browser$", (REPOSITORY / ".ci/run").read_text(), re.MULTILINE)
    assert "bash .ci/run" in (REPOSITORY / ".github/workflows/test.yml").read_text()
    assert "make test" in (REPOSITORY / "README.md").read_text()
    assert "make demo" in (REPOSITORY / "README.md").read_text()
