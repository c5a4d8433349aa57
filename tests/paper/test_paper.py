"""A paper contains what can be made from the existing runs, lists what is missing and how to get it, and names its runs."""

import json
import re
import shlex
import shutil
import subprocess
import zlib
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from conftest import settle
from foreign import write_foreign

from fsclib.config import Config, ConfigError
from fsclib.figures import style
from fsclib.training.loop import fit
from workbook import paper, shipped, sweep
from workbook.paper import PaperOptions, commands, document, press, results, selection, typesetting
from workbook.paper.items import Drawn, Item, Missing, Tabled, interval, listed
from workbook.paper.options import NONE
from workbook.paper.sections import spectrum
from workbook.sweep.file import SweepError

LATEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX compiler is installed")
SECTIONS = ["Data", "Training", "Retrieval", "Ablation", "Frequencies", "Attention", "Embeddings", "Runs"]
OF_IMAGES = {"people", "counts", "spectra"}  # items that need no run


@pytest.fixture(scope="module", autouse=True)
def coarse():
    """PNG files of few pixels, not cropped to their content, in a third of the time: these tests are about the others."""
    savefig = style.Picture.savefig

    def save(figure, file, **options):
        savefig(figure, file, **options | ({"dpi": 50, "bbox_inches": None} if options["format"] == "png" else {}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style.Picture, "savefig", save)
        yield


@pytest.fixture(scope="module")
def place(corpora, tmp_path_factory, tiny):
    """A home with an ablation of two rows, trained and tested: FSC-Net without modules, and with all of them."""
    home = tmp_path_factory.mktemp("paper")
    chosen, usual = vars(tiny(epochs=1)), vars(Config(dataset="llcm"))
    fixed = {name: value for name, value in chosen.items() if value != usual[name] and name != "name"} | {"decay": "2"}
    grid = {"fixed": fixed | {"dataset": "llcm"}, "grids": [{"modules": ["none", "frequency,channel,spatial"]}], "seeds": [0]}
    (home / "two.yaml").write_text(yaml.safe_dump(grid))
    with pytest.MonkeyPatch.context() as patch:
        settle(home, corpora, patch)
        for cell in sweep.read(home / "two.yaml").cells:
            fit(cell.config)
        yield home


@pytest.fixture(scope="module")
def options(place):
    """The options of a paper about both rows."""
    runs = ("two-frequency.channel.spatial-seed0", "two-none-seed0")
    return PaperOptions(dataset="llcm", runs=runs, sweep=str(place / "two.yaml"), device="cpu", workers=1)


@pytest.fixture(scope="module")
def made(options):
    return paper.make(paper.plan(options))


def files(folder):
    return {str(file.relative_to(folder)) for part in ("figures", "tables") for file in (folder / part).iterdir()}


def test_every_section_is_there_and_missing_items_have_a_reason(made, options):
    tex = made.tex.read_text()
    assert re.findall(r"\\section\{(.*)\}", tex) == SECTIONS
    missing = {one.what: one.reason for one in made.missing}
    assert missing.keys() == {"baselines", "literature"}
    assert "03_evaluate has not computed the untrained baselines of" in missing["baselines"]
    assert "synthetic" in missing["literature"]
    for one in made.missing:
        assert one.reason in str(made)


def test_every_file_is_in_the_document_and_traced_to_its_runs(made, options):
    provenance, tex = json.loads((made.folder / "provenance.json").read_text()), made.tex.read_text()
    assert provenance["files"].keys() == files(made.folder)
    assert not made.stale
    assert set(provenance["runs"]) == set(options.runs)
    for name in provenance["files"]:
        if name.endswith(".pdf"):
            assert rf"\asmade{{{name}}}" in tex
        elif name.endswith(".tex"):
            assert rf"\input{{{name}}}" in tex
    assert provenance["files"]["figures/cmc.pdf"] == list(options.runs)
    assert provenance["files"]["figures/people.pdf"] == []
    assert provenance["command"] == commands.paper(options)
    assert {run["recipe"]["seed"] for run in provenance["runs"].values()} == {0}


def test_each_label_is_defined_once_and_referenced(made):
    text = made.tex.read_text() + "".join(file.read_text() for file in sorted((made.folder / "tables").glob("*.tex")))
    labels = re.findall(r"\\label\{([^}]+)\}", text)
    assert len(labels) == len(set(labels))
    assert {label for label in labels if label.startswith("fig:")} == {f"fig:{name}" for name in made.figures}
    assert sum(label.startswith("tab:") for label in labels) >= len(made.tables)  # an ablation has one table per protocol
    assert set(re.findall(r"\\ref\{([^}]+)\}", text)) == set(labels)


def test_captions_say_that_people_are_synthetic(made):
    text = made.tex.read_text()
    assert text.count("Synthetic people: this shows that the program works") == len(re.findall(r"\\begin\{figure\}", text))
    assert "{" not in "".join(re.findall(r"\\caption\{([^{}]*)\{[a-z]+\}", text))  # no placeholder is left


def test_cmc_curves_are_drawn_beside_untrained_baselines(made):
    assert "Thin lines: chance, and nearest neighbours on raw pixels" in made.tex.read_text()


def test_a_shipped_network_is_reported_as_not_trained_here(home):
    run = shipped.open_run("llcm", "people/trunk", workers=1)
    plan = paper.plan(PaperOptions(dataset="llcm", runs=(run.folder.name,), device="cpu", workers=1, sweep=NONE))
    assert "shipped-trunk: tested as shipped with fsclib, not trained here" in str(plan)


def test_figures_use_truetype_of_6_to_8_points_and_fit_the_text(made):
    for file in (made.folder / "figures").glob("*.pdf"):
        content = file.read_bytes()
        assert b"/Subtype /Type3" not in content, file.name
        width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", content)[1]) / 72
        assert width <= 7.05, file.name
        for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
            try:
                text = zlib.decompress(stream)
            except zlib.error:
                continue
            sizes = {float(size) for size in re.findall(rb"/F\d+ ([\d.]+) Tf", text)}
            assert all(6 <= size <= 8 for size in sizes), (file.name, sizes)


@LATEX
def test_the_document_compiles_and_its_references_are_resolved(made):
    message = paper.typeset(made.tex)
    assert re.fullmatch(r"paper\.pdf: \d+ pages", message), message
    assert (made.folder / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert not list(made.folder.glob("paper.log"))


def test_results_equal_those_of_the_runs(made, place):
    found = pd.read_csv(made.folder / "tables" / "results.csv")
    own = found["runs"].notna()
    assert set(found.loc[own, "trainings"]) == {1}
    assert set(found.loc[~own, "network"]) == {"chance", "raw pixels"}
    for name in ("two-none-seed0", "two-frequency.channel.spatial-seed0"):
        metrics = json.loads((place / "results/llcm" / name / "metrics.json").read_text())
        rows = found[(found["runs"] == name) & (found["setting"] == "paper, infrared → visible")]
        assert rows["map"].tolist() == pytest.approx([metrics["paper.ir2vis.map"]])
    assert found["map_std"].isna().all()


def test_a_second_paper_lists_the_files_left_by_the_first(home):
    plan = paper.plan(PaperOptions(dataset="llcm", workers=1, sweep=NONE))
    assert not paper.make(plan).stale
    less = paper.make(replace(plan, sections={"Data": plan.sections["Data"][:2]}))
    assert less.stale == ("figures/spectra.pdf", "figures/spectra.png")
    assert "left by an earlier paper and not part of this one: figures/spectra.pdf, figures/spectra.png" in str(less)
    assert not paper.make(plan).stale


def test_without_runs_images_are_shown_and_commands_given(home):
    plan = paper.plan(PaperOptions(dataset="llcm", runs=("one", "two"), device="cpu", workers=1))
    assert {item.name for items in plan.sections.values() for item in items} == OF_IMAGES
    text = str(plan)
    for name in ("one", "two"):
        assert f"papermill 02_train.ipynb ../results/02_train.ipynb -p dataset llcm -p name {name}" in text
    for what in ("results", "cmc", "spectrum_modules", "attention_pairs", "embedding_map", "runs"):
        assert what in {one.what for one in plan.missing}


def test_untested_and_half_trained_runs_get_different_commands(home, tiny):
    (fit(tiny(name="trained", epochs=1)).folder / "metrics.json").unlink()
    half = fit(tiny(name="half", epochs=1))
    (half.folder / "metrics.json").unlink()
    config = json.loads((half.folder / "config.json").read_text())
    config["config"]["epochs"] = 9
    (half.folder / "config.json").write_text(json.dumps(config))
    missing = {one.what: one for one in paper.plan(PaperOptions(dataset="llcm", runs=("trained", "half"), sweep=NONE)).missing}
    assert (
        missing["run trained"].command == "papermill 03_evaluate.ipynb ../results/03_evaluate.ipynb -p dataset llcm -p name trained"
    )
    assert "1 of 9 epochs" in missing["run half"].reason
    assert missing["run half"].command.startswith("papermill 02_train.ipynb")


def test_without_images_the_source_of_the_data_set_is_named(home):
    (home / "data").unlink()
    plan = paper.plan(PaperOptions(dataset="llcm"))
    assert not plan.sections
    assert "Xiamen University" in {one.what: one.reason for one in plan.missing}["people"]


def test_an_unfinished_ablation_is_missing_with_its_command(home, place):
    plan = paper.plan(PaperOptions(dataset="llcm", sweep=str(place / "two.yaml")))
    found = next(one for one in plan.missing if one.what == "sweep two")
    assert found.reason == "2 of its 2 runs on llcm are not finished"
    assert found.command == f"python -m workbook.sweep {place / 'two.yaml'}"


def test_a_missing_sweep_is_refused(home):
    with pytest.raises(SweepError):
        paper.plan(PaperOptions(dataset="llcm", sweep="nowhere"))


@pytest.mark.parametrize("runs", [(), ("a", "a")])
def test_no_runs_and_repeated_runs_are_refused(runs):
    with pytest.raises(ConfigError, match="expected one run or more, without repeats"):
        PaperOptions(runs=runs)


@pytest.mark.parametrize("runs", ["../one", "a/b", "one,", "x" * 300])
def test_an_invalid_run_name_is_refused_as_a_parameter(runs):
    with pytest.raises(ConfigError, match=r"runs: found '.*, expected runs, side by side"):
        PaperOptions(runs=runs)


def test_an_item_that_fails_is_missing_and_the_others_are_made(home):
    def refuse():
        raise ValueError("the gradient\nis noise")

    table = Item(name="fine", caption="Of {what}.", make=lambda: Tabled(pd.DataFrame({"a": [1.5]}), facts={"what": "100 % _x_"}))
    sections = {"Data": [Item(name="bad", caption="", make=refuse), table]}
    found = paper.make(replace(paper.plan(PaperOptions(dataset="llcm", workers=1)), sections=sections, missing=()))
    assert found.missing == (Missing("bad", "the gradient is noise"),)
    assert list(found.tables) == ["fine"]
    assert r"Of 100~\% \_x\_" in (found.folder / "tables" / "fine.tex").read_text()


@pytest.mark.parametrize(
    "values",
    [
        {"dataset": "llcm", "name": "mine", "network": "agw", "epochs": 7, "seed": 3},
        {"dataset": "regdb", "scale": "small", "trial": 4, "modules": ("channel", "frequency"), "decay": (3, 5)},
        {"dataset": "sysu", "modules": (), "data_root": "/a folder/with space"},
        {"dataset": "demo"},
    ],
    ids=str,
)
def test_the_training_command_reproduces_the_configuration(values):
    config = Config(**values)
    words = shlex.split(commands.train(config))
    assert words[:3] == ["papermill", "02_train.ipynb", "../results/02_train.ipynb"]
    pairs = zip(words[4::3], words[5::3], strict=True)
    assert words[3::3] == ["-p"] * (len(words[3:]) // 3)
    given = {name: value if not re.fullmatch(r"-?[\d.]+", value) else yaml.safe_load(value) for name, value in pairs}
    assert Config(**given) == config


def test_repeated_trainings_share_a_row():
    rows = []
    for seed, value in ((0, 10.0), (1, 14.0)):
        config = {name: getattr(Config(dataset="llcm", seed=seed), name) for name in vars(Config())}
        rows.append(config | {"name": f"run{seed}", "precision": "float32"} | _figures(value))
    other = vars(Config(dataset="llcm", network="agw")) | {"name": "agw", "precision": "float32"} | _figures(20.0)
    found = results.table(pd.DataFrame([*rows, other]))
    assert found["trainings"].tolist() == [2, 1]
    assert found["map"].tolist() == [12.0, 20.0]
    assert found["map_std"][0] == pytest.approx(8**0.5)
    assert results.shown(found)["mAP"].tolist() == ["12.0 ± 2.8", "20.0"]
    assert results.shown(found)["trainings"].tolist() == ["2", "1"]
    assert found["runs"].tolist() == ["run0 run1", "agw"]
    assert results.shown(found)["setting"].tolist() == ["paper, infrared → visible", ""]


def test_results_have_intervals_over_people_and_stand_beside_chance():
    config = {name: getattr(Config(dataset="llcm"), name) for name in vars(Config())}
    rows = pd.DataFrame([config | {"name": "run", "precision": "float32"} | _figures(50.0)])
    protocol = {"mode": "paper", "direction": "ir2vis"}
    shares = ({"identity": i, "share": 0.1, "rank1": x, "map": x, "minp": x} for i, x in enumerate([50.0] * 10))
    people = pd.DataFrame([share | protocol for share in shares])
    references = pd.DataFrame([{"method": "chance", "rank1": 2.0, "rank5": 10.0, "map": 4.0, "minp": 3.0} | protocol])
    found = results.table(rows, {"run": people}, references)
    assert found["network"].tolist() == ["chance", "FSC-Net"]
    shown = results.shown(found)
    assert shown["rank-1"].tolist() == ["2.0", "50.0 [50.0, 50.0]"]
    assert shown["trainings"].tolist() == ["", "1"]
    without = results.shown(results.table(rows, {"run": None}))
    assert without["rank-1"].tolist() == ["50.0"]


def _figures(value):
    return {f"metrics.paper.ir2vis.{name}": value for name in results.HEADINGS}


def test_intervals_are_written_with_true_minus_signs():
    assert interval(-1.25, -2, 0.5, ".1f") == "−1.2 [−2.0, 0.5]"
    assert interval(float("nan"), 0, 0, ".1f") == ""


def test_items_missing_for_the_same_reason_are_listed_together():
    found = [Missing("a", "no run", "train it"), Missing("b", "no masks"), Missing("c", "no run", "train it")]
    assert listed(found) == "a, c: no run\n    train it\nb: no masks"


def test_tables_of_modules_are_refused_for_a_network_without_any():
    with pytest.raises(press.REFUSALS, match="none of the modules FSA, GCA and ST"):
        spectrum._printed(pd.DataFrame(), {"suppression": ("suppression", "low", "high")})


def test_names_and_captions_cannot_inject_latex():
    item = Item(name="x", caption=r"50 % of {name} & \input{{/etc/passwd}} $a_b$", make=lambda: None)
    lines = document.entry(item, Drawn(None, {"name": r"run\end{figure}#1"}), synthetic=False).lines
    assert lines.count(r"\end{figure}") == 1
    assert r"\input" not in lines


class TestTypesetting:
    def test_without_a_compiler_it_says_how_to_get_one_and_removes_old_pdfs(self, tmp_path, monkeypatch):
        monkeypatch.setattr(typesetting.shutil, "which", lambda name: None)
        (tmp_path / "paper.pdf").write_bytes(b"old")
        message = typesetting.typeset(tmp_path / "paper.tex")
        assert "pdflatex is not installed" in message
        assert "texlive" in message
        assert not (tmp_path / "paper.pdf").exists()

    @LATEX
    def test_an_error_is_shown_with_its_line_and_the_log_is_kept(self, tmp_path):
        (tmp_path / "paper.tex").write_text("\\documentclass{article}\n\\begin{document}\n\\nonsense\n\\end{document}\n")
        message = typesetting.typeset(tmp_path / "paper.tex")
        assert "paper.tex was not compiled" in message
        assert "paper.tex:3: Undefined control sequence" in message
        assert (tmp_path / "paper.log").exists()
        assert {file.name for file in tmp_path.iterdir()} == {"paper.tex", "paper.log"}

    def test_a_compiler_that_hangs_is_stopped(self, tmp_path, monkeypatch):
        monkeypatch.setattr(typesetting.shutil, "which", lambda name: name)

        def hang(*words, timeout, **options):
            raise subprocess.TimeoutExpired(words, timeout)

        monkeypatch.setattr(typesetting.subprocess, "run", hang)
        assert f"took more than {typesetting.SECONDS} s" in typesetting.typeset(tmp_path / "paper.tex")


def test_the_folder_of_papers_is_not_the_name_of_a_data_set():
    assert press.FOLDER not in Config.__dataclass_fields__["dataset"].metadata["choices"]


@pytest.mark.parametrize("named", [True, False])
def test_a_run_of_a_missing_network_is_named_and_the_others_are_shown(options, place, caplog, named):
    main, foreign = options.runs[0], place / "results/llcm/foreign"
    write_foreign(foreign, foreign.with_name(main))
    try:
        found = selection.choose(replace(options, runs=(main, "foreign") if named else (main,), sweep=NONE))
    finally:
        shutil.rmtree(foreign)
    assert found.names == (main,)
    assert any("foreign/config.json" in told and "network: found 'stripes'" in told for told in caplog.messages)
    assert [(lack.what, lack.command) for lack in found.missing] == ([("run foreign", "")] if named else [])
    assert all("network: found 'stripes'" in lack.reason for lack in found.missing)
