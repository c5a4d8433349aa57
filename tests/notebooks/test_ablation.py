"""Notebook 06, from a sweep and its options to comparisons, or to a refusal before anything is run."""

import pandas as pd
import pytest
import yaml
from foreign import write_foreign

from fsclib import runs
from fsclib.analysis.comparison import ComparisonError
from fsclib.analysis.switches import Contrast
from fsclib.config import Config, ConfigError
from workbook import ablation, sweep
from workbook.ablation import AblationOptions

ENVIRONMENT = {"data_hash": "d1", "precision": "float32", "revision": "r1"}
SMALL = {"dataset": "llcm", "scale": "tiny", "stages": 4, "height": 64, "width": 24, "identities": 2, "images": 2, "epochs": 1}


@pytest.fixture
def grid(home):
    """The path of a sweep file with FSC-Net, modules none and channel, and AGW."""
    file = home / "small.yaml"
    content = {"fixed": SMALL, "grids": [{"modules": ["none", "channel"]}, {"network": ["agw"]}], "seeds": [0]}
    file.write_text(yaml.safe_dump(content))
    return str(file)


def test_options_that_do_not_match_the_sweep_are_refused_together(grid):
    wrong = AblationOptions(sweep=grid, dataset="lcm", modules="frequenzy", network="deeen", allow=("revison",))
    with pytest.raises(ConfigError) as caught:
        ablation.read(wrong)
    dataset, allow = caught.value.problems
    assert dataset == "dataset: found 'lcm', expected one that small has: llcm"
    assert "did you mean 'revision'?" in allow
    with pytest.raises(ConfigError) as caught:
        ablation.read(AblationOptions(sweep=grid, dataset="llcm", modules="frequenzy", network="deeen"))
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["modules", "network"]
    assert "expected one that small has: none; channel" in caught.value.problems[0]


def test_networks_that_could_not_be_compared_are_refused_before_they_are_trained(home):
    file = home / "unequal.yaml"
    fixed = SMALL | {"scale": "small", "init": "none"}
    file.write_text(yaml.safe_dump({"fixed": fixed, "grids": [{"network": ["fsc", "agw"]}], "seeds": [0]}))
    with pytest.raises(ConfigError) as caught:
        ablation.read(AblationOptions(sweep=str(file), dataset="llcm", network="agw"))
    (problem,) = caught.value.problems
    assert "erase 0.5 and 0.0" in problem
    assert "set them in fixed" in problem
    assert ablation.read(AblationOptions(sweep=str(file), dataset="llcm", network="agw", execute=False)).cells
    fields = ("grayscale", "erase")
    assert ablation.read(AblationOptions(sweep=str(file), dataset="llcm", network="agw", allow=fields)).cells


def test_showing_a_sweep_needs_no_data(grid, home, monkeypatch):
    (home / "data").unlink()
    options = AblationOptions(sweep=grid, dataset="llcm", network="agw", execute=False)
    monkeypatch.setattr(sweep, "run", lambda *args, **given: pytest.fail("it ran"))
    found = ablation.run(ablation.read(options), options)
    assert list(found["state"]) == ["waiting"] * 3
    with pytest.raises(sweep.file.SweepError):
        ablation.read(AblationOptions(sweep=grid, dataset="llcm", network="agw"))


def test_the_error_for_nothing_to_compare_counts_unfinished_runs(grid):
    options = AblationOptions(sweep=grid, dataset="llcm", network="agw", execute=False)
    with pytest.raises(ComparisonError, match=r"3 of 3 runs are not finished"):
        ablation.compare_all(ablation.read(options), options)


def test_an_unreadable_run_counts_as_missing_and_is_named(grid, home, caplog):
    options = AblationOptions(sweep=grid, dataset="llcm", network="agw", execute=False)
    read = ablation.read(options)
    run = runs.begin(read.cells[0].config, ENVIRONMENT)
    write_foreign(run.folder, run.folder)
    assert list(ablation.run(read, options)["state"]) == ["waiting"] * 3
    with pytest.raises(ComparisonError, match=r"3 of 3 runs are not finished, or cannot be read"):
        ablation.compare_all(read, options)
    assert any(f"{run.folder.name}/config.json" in told and "found 'stripes'" in told for told in caplog.messages)


def test_the_baseline_is_that_of_the_options_or_of_the_preset():
    options = AblationOptions(dataset="llcm", network="agw")
    rows = pd.DataFrame([Config(dataset="llcm", scale="small", epochs=epochs).recipe() for epochs in (30, 60)])
    assert ablation.baseline(options, Contrast("modules", {}, rows)) == "none"
    assert ablation.baseline(options, Contrast("network", {}, rows)) == "agw"
    assert ablation.baseline(options, Contrast("epochs", {}, rows)) == 60


def test_files_are_named_by_what_is_compared():
    assert ablation.file_name("modules with branches 1") == "ablation_modules_with_branches_1"
