"""Sweep files are read into cells, or refused with all their problems at once."""

import json
import re
from functools import partial

import pytest
import yaml
from sweeping import FIXED, write_sweep

from fsclib import runs
from fsclib.config import Config
from fsclib.models.networks import NETWORKS
from fsclib.system import paths
from workbook.sweep import grid, read, refusals
from workbook.sweep.cell import Job
from workbook.sweep.file import SweepError, find

NOWHERE = {"data_hash": "d", "precision": "float32"}


@pytest.fixture
def write(home):
    return partial(write_sweep, home)


def problems(file) -> str:
    with pytest.raises(SweepError) as caught:
        read(file)
    assert len(set(caught.value.problems)) == len(caught.value.problems)
    return "\n".join(caught.value.problems)


def test_cells_are_named_by_their_values_and_ordered_by_seed(write, home):
    sweep = read(write())
    assert sweep.name == "small"
    assert [cell.name for cell in sweep.cells] == [
        f"small-{row}-seed{seed}" for seed in (0, 1) for row in ("none", "frequency.channel", "spatial")
    ]
    cell = sweep.cells[4]
    assert cell.config == Config(**cell.parameters)
    assert (cell.config.modules, cell.config.seed, cell.config.dataset) == (("frequency", "channel"), 1, "llcm")
    assert cell.folder == home / "results" / "llcm" / "small"
    assert cell.run_folder == runs.folder_of(cell.config)


def test_the_example_of_the_readme_is_a_valid_sweep(monkeypatch, tmp_path):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    monkeypatch.setattr(refusals.preparation, "check", lambda config: True)  # would need the data set
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", (paths.checkout() / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "example.yaml"
    file.write_text(text)
    sweep = read(file)
    assert len(sweep.cells) == 3 * (4 * 2 + 3)
    assert len({json.dumps(cell.config.recipe()) for cell in sweep.cells}) == 33
    assert sweep.slurm["gpus_per_node"] == 1


def test_the_committed_sweeps_have_the_expected_cells(monkeypatch, tmp_path):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    monkeypatch.setattr(refusals.preparation, "check", lambda config: True)
    monkeypatch.setattr(refusals.demo, "ensure", lambda *where: None)  # draws no corpus
    ablation, methods, people = read("ablation"), read("methods"), read("people")
    assert len(ablation.cells) == 39
    assert [cell.config.modules for cell in ablation.cells[:8]] == [
        (), ("frequency",), ("channel",), ("spatial",), ("frequency", "channel"), ("frequency", "spatial"), ("channel", "spatial"),
        ("frequency", "channel", "spatial"),
    ]  # fmt: skip
    assert [cell.config.network for cell in ablation.cells[8:13]] == ["agw", "bdtr", "twostream", "onestream", "zeropad"]
    assert [cell.config.seed for cell in ablation.cells] == [0] * 13 + [1] * 13 + [2] * 13
    assert {cell.config.scale for cell in ablation.cells} == {"tiny"}
    assert [cell.config.init for cell in people.cells] == [f"people/{cell.config.network}" for cell in people.cells]
    assert {cell.config.network for cell in people.cells} == {"fsc", "deen", "agw", "twostream"}  # those that are shipped
    assert {cell.config.epochs for cell in people.cells} == {0}
    assert [cell.config.network for cell in methods.cells] == [*NETWORKS] * 3
    alike = ("augmentation", "grayscale", "erase", "epochs", "small_epochs", "identities", "images", "height", "init")
    assert all(len({getattr(cell.config, name) for cell in methods.cells}) == 1 for name in alike)


@pytest.mark.parametrize(
    ("axis", "value", "name"),
    [
        ("network", "agw", "agw"),
        ("modules", ["frequency", "channel"], "frequency.channel"),
        ("modules", "frequency, channel", "frequency.channel"),
        ("epochs", 5, "epochs5"),
        ("lr", 1e-05, "lr1e-05"),
        ("decay", "20,80", "decay20.80"),
        ("decay", [20, 80], "decay20.80"),
        ("strict", True, "strictTrue"),
    ],
)
def test_labels_name_the_parameter_of_numbers_but_not_of_words(axis, value, name):
    assert grid.label(axis, value) == name
    assert refusals.admissible(f"sweep-{name}-seed0")


def test_the_data_set_can_be_an_axis(write, home):
    fixed = yaml.safe_load(write().read_text())["fixed"]
    del fixed["dataset"]
    sweep = read(write(fixed=fixed, grids=[{"dataset": ["llcm", "regdb"]}], seeds=[3]))
    assert [cell.folder for cell in sweep.cells] == [home / "results" / name / "small" for name in ("llcm", "regdb")]


def test_all_mistakes_in_a_file_are_reported_at_once(write):
    found = problems(
        write(
            fixed={"dataset": "llcm", "scale": "tiny", "epoch": 3, "name": "mine", "identities": 1, "lr": 0.1},
            grids=[{"modules": []}, {"seed": [1, 2], "lr": ["high", 0.2]}, {}, {"network": ["fsk", "deen"]}],
            seeds=[0, 1, 1],
            slrum={"timeout_min": 5},
        )
    )
    for part in (
        "'slrum': no such key, did you mean 'slurm'?",
        "epoch: no such parameter, did you mean 'epochs'?",
        "name: a sweep names its runs itself",
        "seed: not a parameter of a row; use the key seeds, beside grids",
        "grids, number 1: modules has no values",
        "grids, number 3: has no parameters",
        "lr: found 'high' (str), expected a number",
        "lr: is both in fixed and in a grid",
        "network: found 'fsk'",
        "identities: found 1, expected",
        "seeds: 1 is listed more than once",
    ):
        assert found.count(part) == 1, part


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"grids": []}, "grids: found [], expected a list of at least one grid"),
        ({"grids": {"modules": ["none"]}}, "grids: found {'modules': ['none']}, expected a list"),
        ({"grids": ["modules"]}, "grids, number 1: found 'modules', expected a table"),
        ({"fixed": ["dataset"]}, "fixed: found ['dataset'], expected a table"),
        ({"seeds": []}, "seeds: found [], expected whole numbers"),
        ({"seeds": ["0"]}, "seeds: found ['0'], expected whole numbers"),
        ({"seeds": [-1]}, "seed: found -1, expected"),
        ({"notebook": "02_trian"}, "notebook: found '02_trian', expected one of 01_data, "),
        ({"notebook": "../notebooks/02_train"}, "notebook: found '../notebooks/02_train', expected one of"),
        ({"notebook": "01_data"}, "notebook: 01_data has no parameter name and no seed, so it makes no run; use one that does"),
    ],
)
def test_an_invalid_sweep_is_refused(write, home, content, problem):
    assert problem in problems(write(**content))
    assert not (home / "data" / "demo").exists()  # no demo corpus is drawn for a refused sweep


def test_a_parameter_that_the_notebook_lacks_is_refused(write, monkeypatch, home):
    notebooks = home / "checkout" / "notebooks"
    notebooks.mkdir(parents=True)
    source = ['dataset = "llcm"\n', 'name = "auto"\n', "seed = 0\n", 'modules = "auto"']
    (notebooks / "10_own.ipynb").write_text(json.dumps({"cells": [{"source": source, "metadata": {"tags": ["parameters"]}}]}))
    monkeypatch.setattr(grid.paths, "checkout", lambda: home / "checkout")
    found = problems(write(notebook="10_own", fixed={"dataset": "llcm", "epochs": 3, "moduls": 1}))
    assert "epochs: not a parameter of 10_own, it would have no effect" in found
    assert "moduls: no such parameter, did you mean 'modules'?" in found


@pytest.mark.parametrize("text", ["- 1", "", "grids: [", "!!python/object/apply:os.system [ls]"])
def test_a_file_without_a_table_is_refused(home, text):
    (home / "odd.yaml").write_text(text)
    assert problems(home / "odd.yaml")


def test_a_duplicate_key_is_refused(home):
    (home / "odd.yaml").write_text("seeds: [0]\ngrids:\n  - modules: [none]\n    modules: [channel]\n")
    assert "'modules' appears twice" in problems(home / "odd.yaml")


def test_the_error_for_a_missing_file_lists_the_existing_sweeps(tmp_path):
    assert "which has ablation, causes, methods, people, regdb" in problems(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("grids", "pair"),
    [
        ([{"modules": ["none", "channel"]}, {"network": ["deen"]}], "small-none-seed0 and small-deen-seed0"),
        ([{"modules": ["channel", ["channel"]]}], "small-channel-seed0 and small-channel-seed0"),
        ([{"epochs": [2, 3]}, {"modules": ["frequency,channel,spatial"], "epochs": 3}], "small-epochs3-seed0 and small-freq"),
        ([{"device": ["cpu", "auto"]}], "small-cpu-seed0 and small-auto-seed0"),
        ([{"network": "agw", "cpm_weight": [0.1, 0.2]}], "small-agw-cpm_weight0.1-seed0 and small-agw-cpm_weight0.2-seed0"),
        ([{"network": ["bdtr"]}, {"network": "twostream", "loss": "bdtr"}], "small-bdtr-seed0 and small-twostream-bdtr-seed0"),
        ([{"loss": "identity", "cpm_weight": [0.1, 0.2]}], "small-identity-cpm_weight0.1-seed0 and small-identity-cpm_weight0.2-"),
        ([{"augmentation": ["plain", "fsc"], "erase": 0.5, "grayscale": 0.5}], "small-plain-erase0.5-grayscale0.5-seed0 and small"),
        ([{"warmup": [0, 1]}], "small-warmup0-seed0 and small-warmup1-seed0"),
        ([{"decay": ["8", "9"]}], "small-decay8-seed0 and small-decay9-seed0"),  # neither takes effect in this training
        ([{"cpm_weight": 0.0, "cpm_margin": [0.1, 0.2]}], "small-cpm_weight0.0-cpm_margin0.1-seed0 and small-cpm_weight0.0-cpm_m"),
        ([{"branches": 1, "orthogonality_weight": [0.0, 0.1]}], "small-branches1-orthogonality_weight0.0-seed0 and small-branc"),
    ],
)
def test_cells_that_mean_the_same_run_are_refused_once_by_name(write, grids, pair):
    fixed = {"dataset": "llcm", "scale": "tiny", "identities": 2, "images": 2}
    found = problems(write(fixed=fixed, grids=grids))
    assert pair in found
    assert found.count("mean the same run") == 1


def test_another_precision_is_another_run(write):
    fixed = {"dataset": "llcm", "scale": "tiny", "identities": 2, "images": 2}
    assert len(read(write(fixed=fixed, grids=[{"precision": ["float32", "bfloat16"]}], seeds=[0])).cells) == 2


def test_a_list_as_a_key_is_refused(write):
    file = write()
    file.write_text("fixed:\n  ? [a, b]\n  : 1\n")
    assert "a key that is not a word" in problems(file)


def test_reading_without_checks_needs_neither_data_nor_matching_runs(write, home):
    file = write()
    runs.begin(Config(**dict(read(file).cells[0].parameters) | {"epochs": 9}), NOWHERE)
    (home / "data").unlink()
    assert len(read(file, check=False).cells) == 6
    assert "epochs: 9 vs 2" in problems(file)


def test_two_cells_of_the_same_name_are_refused(write):
    grids = [{"network": "agw", "loss": "fsc"}, {"loss": "agw", "network": "fsc"}]
    found = problems(write(fixed=FIXED | {"stages": 4}, grids=grids, seeds=[0]))
    assert "small-agw-fsc-seed0: two different cells would have this name" in found


def test_names_that_are_too_long_are_refused_once(write):
    found = problems(write("s" * 86))
    assert found.count("characters") == 1
    assert "names: 2 runs would have more than 100 characters, 's" in found
    assert "the file's name: found '-s'" in problems(write("-s"))


def test_runs_with_another_recipe_are_reported_together(write):
    file = write()
    for cell in read(file).cells[:3]:
        runs.begin(Config(**dict(cell.parameters) | {"epochs": 9}), NOWHERE)
    found = problems(file)
    assert "small-none-seed0 (and 2 other runs of this sweep) holds a run with another configuration" in found
    assert found.count("epochs: 9 vs 2") == 1


def test_runs_with_the_same_recipe_are_continued(write):
    file = write()
    runs.begin(read(file).cells[0].config, NOWHERE)
    assert len(read(file).cells) == 6


def test_a_sweep_with_the_name_of_a_run_is_refused(write):
    file = write()
    runs.begin(Config(**dict(read(file).cells[0].parameters) | {"name": "small"}), NOWHERE)
    assert "is a run, and the sweep would write its notebooks there" in problems(file)


def test_an_unusable_data_set_is_refused_before_the_first_run(write, home):
    found = problems(write(grids=[{"identities": [2, 500]}]))
    assert "500" in found
    fixed = yaml.safe_load(write().read_text())["fixed"] | {"data_root": str(home / "nowhere")}
    assert str(home / "nowhere") in problems(write(fixed=fixed))
    assert not (home / "results").exists()


def test_shared_data_are_checked_once_and_not_for_finished_cells(write, monkeypatch):
    asked = []
    monkeypatch.setattr(refusals.preparation, "check", lambda config: asked.append(config.seed))
    file = write()
    sweep = read(file)
    assert len(asked) == 1  # llcm holds out no identities, so the seed does not matter
    for cell in sweep.cells:
        runs.begin(cell.config, NOWHERE).finish({"select_on": "last"})
    read(file)
    assert len(asked) == 1


def test_every_cell_that_continues_a_run_is_checked(write, monkeypatch):
    asked = []
    monkeypatch.setattr(refusals.preparation, "check", lambda config: asked.append(config.name))
    fixed = yaml.safe_load(write().read_text())["fixed"]
    cells = read(write(fixed=fixed | {"parent": "first"})).cells
    assert asked == [cell.config.name for cell in cells]  # any field of the recipe may differ from the parent's


def test_a_cell_can_be_sent_to_another_process(write):
    cell = read(write()).cells[1]
    job = Job.from_json(cell.to_json())
    assert (job.notebook, job.parameters, job.folder) == (cell.notebook, dict(cell.parameters), cell.folder)
    assert job.executed == cell.executed


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "", ".", "sweeps"])
def test_an_impossible_file_name_is_a_missing_sweep(name):
    with pytest.raises(SweepError, match="no such file, and no sweep of this name"):
        find(name)
