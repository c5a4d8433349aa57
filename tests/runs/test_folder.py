"""Run folders are begun, continued, refused or moved aside, and their files are never half-written; also the table of all runs."""

import dataclasses
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from foreign import write_foreign
from matplotlib.figure import Figure

from fsclib import runs
from fsclib.config import Config
from fsclib.runs import RunError
from fsclib.system import storage

ENVIRONMENT = {"data_hash": "d1", "precision": "float32", "revision": "r1"}


@pytest.fixture
def begin(tmp_path):
    """begin(environment changes, **config) begins a run in an empty results folder."""

    def _begin(environment=None, **values):
        return runs.begin(Config(**values), ENVIRONMENT | (environment or {}), tmp_path)

    return _begin


def test_begin_writes_configuration_and_environment(begin, tmp_path):
    run = begin(epochs=3)
    assert run.folder == tmp_path / "demo" / "fsc-tiny-seed0"
    content = json.loads((run.folder / "config.json").read_text())
    assert content == {"config": Config(epochs=3).to_dict(), "environment": ENVIRONMENT}
    assert {part.name for part in run.folder.iterdir()} == {"config.json", "checkpoints", "figures", "tables"}
    assert not run.finished
    assert run.environment == ENVIRONMENT
    assert run.checkpoint("best").parent == run.folder / "checkpoints"


def test_runs_are_stored_in_results_by_default(monkeypatch, tmp_path):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    run = runs.begin(Config(), ENVIRONMENT)
    assert run.folder == tmp_path / "results" / "demo" / "fsc-tiny-seed0"
    assert runs.load("demo", "fsc-tiny-seed0") == run
    assert list(runs.table()["name"]) == ["fsc-tiny-seed0"]


def test_the_same_configuration_continues_the_run(begin):
    first = begin(epochs=3)
    first.add_to_log({"epoch": 0, "lr": 0.1})
    again = begin(epochs=3, device="cpu", workers=1)
    assert again.folder == first.folder
    assert list(again.log()["epoch"]) == [0]
    assert json.loads((first.folder / "config.json").read_text())["config"]["device"] == "auto"


def test_another_recipe_is_refused_with_every_difference(begin):
    before = (begin(epochs=9, lr=0.1).folder / "config.json").read_text()
    with pytest.raises(RunError) as caught:
        begin({"data_hash": "d2", "precision": "bfloat16"}, epochs=5, lr=0.2, name="fsc-tiny-seed0")
    for line in ("epochs: 9 vs 5", "lr: 0.1 vs 0.2", "data_hash: 'd1' vs 'd2'", "vs 'bfloat16'"):
        assert line in str(caught.value)
    assert "resume=False" in str(caught.value)
    assert (begin(epochs=9, lr=0.1).folder / "config.json").read_text() == before


@pytest.mark.parametrize("key", ["data_hash", "precision"])
def test_other_data_or_another_precision_is_refused(begin, key):
    begin()
    with pytest.raises(RunError, match=f"{key}: .* vs 'other'"):
        begin({key: "other"})


def test_the_resolved_precision_is_compared(begin):
    """A run whose "auto" was bfloat16 can be continued where "auto" means float32, by requesting bfloat16."""
    begin({"precision": "bfloat16"})
    assert begin({"precision": "bfloat16"}, precision="bfloat16").environment["precision"] == "bfloat16"


def test_resume_false_moves_the_old_run_aside(begin, capsys):
    begin().add_to_log({"epoch": 0})
    begin(resume=False, epochs=5).add_to_log({"epoch": 0})
    third = begin(resume=False)
    parent = third.folder.parent
    assert {folder.name for folder in parent.iterdir()} == {third.folder.name + end for end in ("", ".old-1", ".old-2")}
    assert third.log().empty
    assert json.loads((parent / "fsc-tiny-seed0.old-2" / "config.json").read_text())["config"]["epochs"] == 5
    assert "fsc-tiny-seed0.old-1" in capsys.readouterr().out


def test_a_folder_that_is_not_a_run_is_left_alone(begin, tmp_path):
    other = tmp_path / "demo" / "mine"
    other.mkdir(parents=True)
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="is not a run"):
        begin(name="mine")
    assert [file.name for file in other.iterdir()] == ["thesis.tex"]
    (tmp_path / "demo" / "file").write_text("")
    with pytest.raises(RunError, match="is not a run"):
        begin(name="file")


def test_a_run_killed_while_beginning_can_begin_again(begin, tmp_path):
    folder = tmp_path / "demo" / "mine"
    folder.mkdir(parents=True)
    (folder / f"config.json.0123abcd.{storage.HOST}{storage.PART}").write_text("{")
    run = begin(name="mine")
    (folder / "checkpoints").rmdir()
    assert begin(name="mine") == run
    assert (folder / "checkpoints").is_dir()


def test_continuing_a_run_removes_only_its_own_partial_files(begin):
    run = begin()
    end = f".0123abcd.{storage.HOST}{storage.PART}"
    half = [run.folder / f"log.csv{end}", run.checkpoint("best").with_suffix(f".safetensors{end}")]
    figure = run.folder / "figures" / f"gates.pdf{end}"
    for file in (*half, figure):
        file.write_text("half")
    begin()
    assert not any(file.exists() for file in half)
    assert figure.exists()
    half[0].write_text("half")
    run.finish({})
    begin()
    assert half[0].exists()  # a finished run is not trained, and testing it takes no lock


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"config": {}}', '{"config": [], "environment": {}}', "\xff"])
def test_the_error_for_a_broken_config_names_the_file(begin, tmp_path, content):
    good, bad = begin(name="good"), begin(name="bad")
    (bad.folder / "config.json").write_text(content, encoding="latin-1")
    for reading in (lambda: runs.load("demo", "bad", tmp_path), lambda: begin(name="bad")):
        with pytest.raises(RunError, match=r"bad.config\.json") as caught:
            reading()
        assert str(good.folder / "config.json") not in str(caught.value)


def test_parameters_missing_in_an_older_run_are_filled_by_the_presets(begin):
    run = begin()
    file = run.folder / "config.json"
    content = json.loads(file.read_text())
    for name in ("loss", "branches", "grayscale", "erase"):
        del content["config"][name]
    file.write_text(json.dumps(content))
    runs.check(run.config, results=run.folder.parents[1])
    with pytest.raises(RunError, match=rf"grayscale: {run.config.grayscale} vs 0\.1"):
        runs.check(dataclasses.replace(run.config, grayscale=0.1), results=run.folder.parents[1])


def test_an_older_run_trained_by_several_processes_is_continued(begin, tmp_path):
    run = begin({"processes": 2}, batch="per-process", devices=2)
    file = run.folder / "config.json"
    content = json.loads(file.read_text())
    content["config"]["batch"] = "per-rank"
    content["environment"]["ranks"] = content["environment"].pop("processes")
    file.write_text(json.dumps(content))
    again = begin({"processes": 2}, batch="per-process", devices=2)
    assert again.folder == run.folder
    assert again.environment == run.environment
    assert runs.load("demo", run.folder.name, tmp_path).config == run.config


def test_the_error_for_unknown_parameters_names_the_file(begin, tmp_path):
    run = begin()
    content = json.loads((run.folder / "config.json").read_text())
    content["config"] |= {"colour": "red"}
    (run.folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"config\.json: written by another version\? .*\n.*colour: no such parameter"):
        runs.load("demo", run.folder.name, tmp_path)
    with pytest.raises(RunError, match="colour: 'red' vs None"):
        begin()


def test_metrics_mark_the_run_complete(begin):
    run = begin()
    run.add_to_log({"epoch": 0})
    with pytest.raises(RunError, match="1 epochs are done"):
        run.metrics  # noqa: B018
    run.finish({"map": 12.5, "epoch": 3, "test_selected": False, "skipped_by_kind": {"empty": 2}})
    assert run.finished
    assert run.metrics == {"map": 12.5, "epoch": 3, "test_selected": False, "skipped_by_kind": {"empty": 2}}


def test_metrics_are_written_completely_or_not_at_all(begin, monkeypatch):
    run = begin()
    with pytest.raises(TypeError):
        run.finish({"map": 1.0, "bad": object()})
    assert not run.finished
    monkeypatch.setattr(storage, "_flush", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        run.finish({"map": 1.0})
    assert not run.finished
    assert [file for file in run.folder.iterdir() if file.name.startswith("metrics")] == []


def test_the_error_for_broken_metrics_names_the_file(begin):
    run = begin()
    (run.folder / "metrics.json").write_text("{")
    with pytest.raises(RunError, match=r"metrics\.json: cannot be read"):
        run.metrics  # noqa: B018


def test_log_replaces_later_epochs(begin):
    run = begin()
    assert run.log().empty
    for epoch in range(5):
        run.add_to_log({"epoch": epoch, "total": epoch / 3} | ({"val_map": 10.0 * epoch} if epoch % 2 else {}))
    run.add_to_log({"epoch": 2, "total": 0.1})
    log = run.log()
    assert list(log["epoch"]) == [0, 1, 2]
    assert list(log["total"]) == [0.0, 1 / 3, 0.1]
    assert log["val_map"].isna().tolist() == [True, False, True]
    run.add_to_log({"epoch": 0, "total": 7.0})
    assert run.log()["total"].tolist() == [7.0]


def test_log_keeps_every_digit(begin):
    run = begin()
    values = np.random.default_rng(0).standard_normal(30) * 10.0 ** np.arange(-15, 15)
    for epoch, value in enumerate(values):
        run.add_to_log({"epoch": epoch, "total": value})
    lines = (run.folder / "log.csv").read_text().splitlines()[1:]
    assert [float(line.split(",")[1]) for line in lines] == values.tolist()


def test_table_of_several_runs(begin, tmp_path):
    begin(name="a", seed=1).finish({"map": 40.0, "select_on": "holdout", "skipped_by_kind": {}})
    begin({"precision": "bfloat16"}, dataset="regdb", trial=2).add_to_log({"epoch": 0})
    begin(name="a", seed=1, resume=False)
    table = runs.table(tmp_path).set_index(["dataset", "name"])
    assert list(table.index) == [("demo", "a"), ("demo", "a.old-1"), ("regdb", "fsc-paper-seed0-trial2")]
    assert table["finished"].tolist() == [False, True, False]
    assert table["epochs_done"].tolist() == [0, 0, 1]
    assert table["metrics.map"].isna().tolist() == [True, False, True]
    assert table["seed"].tolist() == [1, 1, 0]
    assert table["stages"].tolist() == [4, 4, 3]
    assert table["precision"].tolist() == ["float32", "float32", "bfloat16"]
    assert table["data_hash"].tolist() == ["d1"] * 3
    assert "metrics.skipped_by_kind" not in table
    for dataset, name in table.index:
        assert runs.load(dataset, name, tmp_path).folder == tmp_path / dataset / name


def test_a_table_leaves_out_unreadable_runs_and_logs_the_reason(begin, tmp_path, caplog):
    begin(name="good")
    foreign, broken = begin(name="foreign"), begin(name="broken")
    write_foreign(foreign.folder, foreign.folder, extensions={"striped-reid": "1.0"})
    (broken.folder / "config.json").write_text("{")
    assert list(runs.table(tmp_path)["name"]) == ["good"]
    assert len(caplog.messages) == 2
    (reason,) = (message for message in caplog.messages if "foreign" in message)
    assert "foreign/config.json: written by another version?" in reason
    assert "network: found 'stripes'" in reason
    assert "install 'striped-reid', which the run was made with, or move the folder out of results/" in reason
    caplog.clear()
    assert list(runs.table(tmp_path, names=["good", "foreign"])["name"]) == ["good"]
    (again,) = caplog.messages
    assert again == reason


def test_table_without_runs_is_empty(tmp_path):
    assert runs.table(tmp_path / "nothing").empty


def test_load_returns_the_run(begin, tmp_path):
    run = begin(epochs=3, name="mine", modules="channel", decay=[2])
    assert runs.load("demo", "mine", tmp_path) == run


def test_loading_a_missing_run_lists_the_existing_ones(begin, tmp_path):
    begin(name="one")
    begin(name="two")
    with pytest.raises(RunError, match=r"no run 'three'.*Existing runs: one, two\. .*-p dataset demo -p name three"):
        runs.load("demo", "three", tmp_path)
    with pytest.raises(RunError, match="There are no runs of this data set"):
        runs.load("llcm", "one", tmp_path)


@pytest.mark.parametrize("values", [{"network": "bdtr", "dataset": "demo", "seed": 3}, {"dataset": "regdb", "trial": 7}])
def test_a_missing_run_with_a_usual_name_is_trained_by_what_the_name_says(tmp_path, values):
    config = Config(**values)
    with pytest.raises(RunError, match="Train it first") as caught:
        runs.load(config.dataset, config.name, tmp_path)
    line = str(caught.value).partition("02_train.ipynb -p ")[2]
    said = dict(part.split() for part in line.split(" -p "))
    numbers = {name: int(said.pop(name)) for name in ("seed", "trial") if name in said}
    assert "name" not in said
    assert Config(**said, **numbers) == config


@pytest.mark.parametrize("name", ["methods-fsc-seed0", "my-run-seed3", "fsc-tiny-seed00", "fsc-tiny-seed0-trial3"])
def test_a_missing_run_with_another_name_is_trained_under_it(tmp_path, name):
    with pytest.raises(RunError, match=f"-p dataset demo -p name {name}$"):
        runs.load("demo", name, tmp_path)


def test_tables_are_saved_as_csv_and_latex(begin):
    table = pd.DataFrame({"rank1_std": [1.23456, np.nan], "name & 100%": ["a_b # {c}", "~d^e \\ $"]}, index=[3, 3])
    file = begin().save_table(table, "ablation")
    assert file.name == "ablation.csv"
    pd.testing.assert_frame_equal(pd.read_csv(file), table.reset_index(drop=True))
    text = file.with_suffix(".tex").read_text()
    assert r"rank1\_std & name \& 100\% \\" in text
    assert r"1.23 & a\_b \# \{c\} \\" in text
    assert r"\textasciitilde d\textasciicircum e \textbackslash" in text
    assert {r"\toprule", r"\midrule", r"\bottomrule"} <= set(text.split())
    assert [file for file in file.parent.iterdir() if file.suffix == storage.PART] == []


@pytest.mark.parametrize("make", [Figure, plt.figure])
def test_figures_are_saved_reproducibly_as_png_and_pdf(begin, make):
    run, figure = begin(), make(figsize=(2, 1))
    figure.subplots().plot([1, 2])
    png = run.save_figure(figure, "curve")
    pdf = png.with_suffix(".pdf")
    assert png == run.folder / "figures" / "curve.png"
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert pdf.read_bytes()[:5] == b"%PDF-"
    before = png.read_bytes(), pdf.read_bytes()
    run.save_figure(figure, "curve")
    assert (png.read_bytes(), pdf.read_bytes()) == before
    plt.close("all")


def test_siblings_are_finished_runs_that_differ_in_one_field_only(begin):
    own = begin(dataset="regdb", trial=1)
    for trial, values in ((2, {}), (3, {"epochs": 9}), (4, {})):
        other = begin(dataset="regdb", trial=trial, **values)
        if trial != 4:
            other.finish({"select_on": "last"})
    results = own.folder.parent.parent
    assert [run.config.trial for run in runs.siblings(own, "trial", results)] == [2]

    twin = begin(dataset="regdb", trial=2, name="twin")
    twin.finish({"select_on": "last"})
    aside = begin(dataset="regdb", trial=5, name="five.old-1")
    aside.finish({"select_on": "last"})
    (begin(dataset="regdb", trial=6).folder / "config.json").write_text("{")
    assert [run.folder.name for run in runs.siblings(own, "trial", results)] == ["twin"]
