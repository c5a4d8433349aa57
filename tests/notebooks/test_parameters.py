"""The parameters set in a notebook's cells become keyword arguments, and unknown names are refused."""

import nbformat
import papermill
import pytest

from fsclib.config import Config, ConfigError
from workbook.parameters import assigned, parameters

TAGGED = 'dataset = "demo"  # which data set\nepochs = 3  # how long\nlr = "auto"  # the preset\'s'


def after(*cells, **work):
    """The namespace of a notebook after these cells have run, with the names in `work` assigned otherwise."""
    namespace = {"In": ["", *cells]}
    for cell in cells:
        exec(cell, namespace)
    return namespace | work


def test_only_a_tagged_cell():
    found = parameters(after("import math", TAGGED, "x = math.pi"))
    assert found == {"dataset": "demo", "epochs": 3, "lr": "auto"}


def test_injected_values_win():
    found = parameters(after(TAGGED, '# Parameters\ndataset = "llcm"\nlr = 0.0001\n', "y = 2"))
    assert found == {"dataset": "llcm", "epochs": 3, "lr": 0.0001}


def test_an_unknown_injected_name_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        Config(**parameters(after(TAGGED, "# Parameters\nepoch = 5\n")))


def test_a_mistyped_name_in_the_tagged_cell_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'lr'"):
        Config(**parameters(after(TAGGED.replace("lr =", "lr_ ="))))


def test_the_callers_namespace_is_used_whatever_names_are_injected():
    namespace = after(TAGGED, "# Parameters\nglobals = 5\n") | {"parameters": parameters}
    exec("found = parameters()", namespace)
    assert namespace["found"] == {"dataset": "demo", "epochs": 3, "lr": "auto", "globals": 5}
    with pytest.raises(ConfigError, match=r"globals"):
        Config(**namespace["found"])


@pytest.mark.parametrize("head", ["", "# Parameters\n"])
def test_a_corrected_typo_is_forgotten(head):
    cells = [f"{head}epoch = 5", f"{head}epochs = 5"]
    cells = [TAGGED, *cells] if head else [f"{TAGGED}\n{cell}" for cell in cells]
    assert parameters(after(*cells)) == {"dataset": "demo", "epochs": 5, "lr": "auto"}


def test_assignments_in_other_cells_are_not_parameters():
    work = [
        "dataset = open(0)",
        "# Parameters of the network\nwidth = 3",
        "%time\n!ls",
        "x = [0]\nx[0] = 1",
        "for epochs in []: pass",
    ]
    namespace = {"In": ["", TAGGED, *work], "dataset": "demo", "epochs": 3, "lr": 1.0, "width": 3, "x": [1]}
    assert parameters(namespace) == {"dataset": "demo", "epochs": 3, "lr": 1.0}


@pytest.mark.parametrize(
    "cells", [[], ["import os"], ["epochs = 3"], ["%matplotlib inline\ndataset = 'demo'"], [f"# Parameters\n{TAGGED}"]]
)
def test_a_missing_parameter_cell_is_an_error(cells):
    with pytest.raises(ConfigError, match="no parameter cell has run"):
        parameters({"In": ["", *cells], "dataset": "demo", "epochs": 3, "lr": 0.1})


@pytest.mark.parametrize("value", [5, "a cell", [1], None])
def test_a_parameter_that_overwrites_the_history_is_refused(value):
    with pytest.raises(ConfigError, match=r"^invalid parameters:\n  In: found .*it is not a parameter, leave it out$"):
        parameters(after(TAGGED, f"# Parameters\nIn = {value!r}\n"))


def test_a_namespace_without_history_is_refused():
    with pytest.raises(ConfigError, match="no parameter cell"):
        parameters({})


def test_a_deleted_name_is_left_to_the_preset():
    namespace = after(TAGGED)
    del namespace["epochs"]
    assert parameters(namespace) == {"dataset": "demo", "lr": "auto"}


@pytest.mark.parametrize(
    ("source", "names", "own"),
    [
        ("a = b = 1", ["a", "b"], False),
        ("a, (b, *c) = 1, (2, 3)", ["a", "b", "c"], False),
        ('dataset: str = "llcm"', ["dataset"], True),
        ('import os\ndataset = "llcm"\nroot = os.sep', ["dataset", "root"], True),
        ("dataset = None", ["dataset"], False),
        ("x.y = z[0] = 1", [], False),
        ("x += 1", [], False),
        ("def f():\n    dataset = 'llcm'", [], False),
        ("broken (", [], False),
    ],
)
def test_assigned(source, names, own):
    assert assigned(source) == (names, own)


def test_a_mistyped_papermill_parameter_is_refused(tmp_path):
    """In a real kernel the history is as expected, a figure is shown, and the mistyped name ends the notebook before any work."""
    cell = nbformat.v4.new_code_cell
    tagged = cell(TAGGED, metadata={"tags": ["parameters"]})
    cells = [
        tagged,
        cell("from fsclib import figures\nfrom fsclib.config import Config\nfrom workbook.parameters import parameters"),
        cell("figures.cmc_curves({'a': range(20)})"),
        cell("print(parameters())"),
        cell("config = Config(**parameters())"),
        cell("print('worked')"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    with pytest.raises(papermill.PapermillExecutionError, match="did you mean 'epochs'") as caught:
        papermill.execute_notebook(
            str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"), {"epoch": 5, "lr": 0.01}, progress_bar=False, cwd=str(tmp_path)
        )
    assert caught.value.ename == "ConfigError"
    done = [c for c in nbformat.read(tmp_path / "out.ipynb", 4).cells if c.cell_type == "code" and c.outputs]
    shown = [output for c in done for output in c.outputs]
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert any("{'dataset': 'demo', 'epochs': 3, 'lr': 0.01, 'epoch': 5}" in output.get("text", "") for output in shown)
    assert not any("worked" in output.get("text", "") for output in shown)
