"""The notebooks have the same structure, and papermill runs them on every layout and from either folder."""

import ast
import dataclasses
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from IPython.display import display
from papermill import PapermillExecutionError
from papermill import cli as shell
from parameters import OPTIONS

from fsclib.config import Config, ConfigError
from fsclib.data.records import DatasetError
from fsclib.training.loop import fit
from workbook import sweep

REPOSITORY = Path(__file__).parents[2]
NOTEBOOKS = sorted(file for file in (REPOSITORY / "notebooks").glob("*.ipynb") if not file.name.startswith("out"))  # see .gitignore
SMALL = {
    "scale": "tiny", "stages": 3, "height": 64, "width": 24, "identities": 4, "images": 2, "epochs": 2,
    "validate_every": 1, "decay": 1, "workers": 1,
}  # fmt: skip


def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text())["cells"]


def parameter_cell(notebook: Path) -> str:
    tagged = [cell for cell in cells(notebook) if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    return "".join(tagged[0]["source"])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
class TestStructure:
    def test_no_outputs_and_no_definitions(self, notebook):
        for cell in cells(notebook):
            if cell["cell_type"] == "code":
                assert not cell["outputs"]
                assert cell["execution_count"] is None
                tree = ast.parse("".join(cell["source"]))
                assert not [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda))]

    def test_begins_with_title_and_parameters(self, notebook):
        first, second = cells(notebook)[:2]
        assert first["cell_type"] == "markdown"
        assert re.match(rf"# {notebook.stem.split('_')[0].capitalize()} · ", "".join(first["source"]))
        assert "parameters" in second["metadata"]["tags"]

    def test_parameters_are_literals_and_each_has_a_comment(self, notebook):
        source = parameter_cell(notebook)
        for node in ast.parse(source).body:
            assert isinstance(node, ast.Assign)
            ast.literal_eval(node.value)
        assert all(re.search(r"  # \w", line) for line in source.splitlines())

    def test_parameters_and_defaults_are_those_of_the_options(self, notebook):
        options = OPTIONS[notebook.stem]
        given = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(parameter_cell(notebook)).body}
        assert given.keys() <= {f.name for f in dataclasses.fields(options)}
        if options is not Config:
            assert given.keys() == {f.name for f in dataclasses.fields(options)}
        usual = {"strict": True} if notebook.stem == "01_data" else {}  # 01_data lists broken files, others stop at them
        assert options(**given | usual) == options()

    def test_contains_no_absolute_path(self, notebook):
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", notebook.read_text())


def test_notebooks_are_unchanged_by_nbstripout():
    done = subprocess.run([sys.executable, "-m", "nbstripout", "--verify", *map(str, NOTEBOOKS)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_training_lists_every_parameter():
    source = parameter_cell(REPOSITORY / "notebooks/02_train.ipynb")
    assert {node.targets[0].id for node in ast.parse(source).body} == {f.name for f in dataclasses.fields(Config)}


@pytest.fixture
def executed(home, monkeypatch):
    """executed(notebook, folder, name=value, …) does what `papermill notebook out -p name value …` does in a folder of the
    repository, and returns the path of the notebook with its outputs, below `home`."""

    def _executed(notebook: str, folder: str, **parameters) -> Path:
        words = [word for name, value in parameters.items() for word in ("-p", name, str(value))]
        place, out = "" if folder == "notebooks" else "notebooks/", home / f"{notebook}.ipynb"
        options = ["--no-progress-bar", "--start-timeout", "300"]
        monkeypatch.chdir(REPOSITORY / folder)  # where papermill starts the kernel
        shell.papermill.main([f"{place}{notebook}.ipynb", str(out), *options, *words], standalone_mode=False)
        return out

    return _executed


@pytest.fixture(params=["cells", pytest.param("papermill", marks=pytest.mark.long("kernels of four more notebooks"))])
def text_of(request, executed, capsys):
    """text_of(notebook, folder, name=value, …) runs a notebook, its cells in this process or as `executed`; returns its text."""

    def _text_of(notebook: str, folder: str, **parameters) -> str:
        if request.param == "papermill":
            return outputs(executed(notebook, folder, **parameters))
        capsys.readouterr()
        run_cells(notebook, **parameters)
        return capsys.readouterr().out

    return _text_of


def outputs(notebook: Path) -> str:
    """All text that a notebook printed or returned."""
    texts = []
    for cell in cells(notebook):
        for output in cell.get("outputs", []):
            texts.append("".join(output.get("text", output.get("data", {}).get("text/plain", ""))))
    return "\n".join(texts)


def pictures(notebook: Path) -> int:
    """The number of figures in an executed notebook."""
    return len([o for cell in cells(notebook) for o in cell.get("outputs", []) if "image/png" in o.get("data", {})])


def drawn(folder: Path, *names: str) -> bool:
    """Whether figures of these names were written into a folder, as PDF and PNG."""
    return all((folder / f"{name}.{kind}").stat().st_size > 1000 for name in names for kind in ("pdf", "png"))


def test_data_training_evaluation_and_explorer(home, executed):
    """The notebooks that a user runs first, one after another, on LLCM's layout and from notebooks/."""
    data = executed("01_data", "notebooks", dataset="llcm", scale="tiny")
    training = executed("02_train", "notebooks", dataset="llcm", branches=1, **SMALL)
    results = home / "results" / "llcm"
    (run,) = (path for path in results.iterdir() if path.name.startswith("fsc-tiny-seed0"))
    assert (run / "metrics.json").exists()
    evaluation = executed("03_evaluate", "notebooks", dataset="llcm", scale="tiny")
    explorer = executed("explore", "notebooks", dataset="llcm", name=run.name)
    assert [pictures(notebook) for notebook in (data, training, evaluation, explorer)] == [4, 1, 5, 3]
    assert drawn(run / "figures", "training", "cmc", "ranked_lists")
    for file in ("trials", "summary", "summary_all_trials", "baselines", "reranked"):
        assert (run / "tables" / f"{file}.csv").exists()
        assert (run / "tables" / f"{file}.tex").exists()
    for file in ("spectra_difference", "without_training", "leak"):
        assert (results / "01_data" / "tables" / f"{file}.csv").exists()
    for file in ("people.png", "walks.png", "spectra.png", "leak.png"):
        assert (results / "01_data" / "figures" / file).stat().st_size > 1000
    assert "rank1" in outputs(evaluation)
    assert str(run / "figures") in outputs(evaluation)
    assert "widget-view" not in explorer.read_text()


def test_spectra_and_attention(home, text_of, tiny):
    """On SYSU-MM01's layout and from the root of the repository."""
    run = fit(tiny(dataset="sysu", epochs=1, identities=4))
    found = text_of("04_spectrum", ".", dataset="sysu", name=run.config.name, people=2)
    gains = ("spectrum_gains_view_1_FSA", "spectrum_gains_view_2_FSA")
    assert drawn(run.folder / "figures", "spectrum_modules", "spectrum_modules_single", "spectrum_radial", "spectrum_gates", *gains)
    assert drawn(run.folder / "figures", "spectrum_gap", "spectrum_features")
    identity = pd.read_csv(run.folder / "tables" / "spectrum_identity.csv")
    assert (identity["identity"] < 1e-12).all()
    assert (identity["outside"] == 0).all()
    assert list(pd.read_csv(run.folder / "tables" / "spectrum_suppression.csv")["module"].unique()) == [
        f"view {view} {module}" for view in (1, 2) for module in ("FSA", "GCA", "ST")
    ]
    assert "FSCNet: FSA, GCA, ST in each of 2 views" in found
    found = text_of("05_attention", ".", dataset="sysu", names=run.config.name, people=1, sample=4)
    assert drawn(run.folder / "figures", "attention_pairs", "attention_targets", "attention_views", "attention_shares")
    shares = pd.read_csv(run.folder / "tables" / "attention_shares.csv").groupby(["modality", "target"])["share"]
    assert shares.max().between(0, 100).all()
    assert "One run, so nothing stands beside it." in found


def test_embedding_and_gallery(home, text_of, tiny):
    """On RegDB's layout, from either folder."""
    run = fit(tiny(dataset="regdb", epochs=1, identities=4, branches=1, name="one"))
    found = text_of("07_embedding", "notebooks", dataset="regdb", names="one", failures=2)
    names = ("embedding_map", "embedding_distances", "embedding_gap", "embedding_views", "embedding_failures")
    assert drawn(run.folder / "figures", *names)
    distances = pd.read_csv(run.folder / "tables" / "embedding_distances.csv").set_index(["kind", "figure"])["value"]
    assert distances["visible–infrared", "AUC"].between(0, 1).any()
    assert "one run: nothing to compare it with" in found

    asked = {"dataset": "regdb", "name": "one", "sizes": "600,1200", "queries": 20, "dimensions": 32}
    if importlib.util.find_spec("faiss"):
        found = text_of("10_gallery", ".", **asked)
        assert drawn(run.folder / "figures", "search_costs")
        measured = pd.read_csv(run.folder / "tables" / "search_measured.csv").set_index(["images", "kind"])
        assert (measured["recall10"].xs("exact", level="kind") > 0.95).all()
        assert (measured["recall10"] > 0.5).all()
        assert (run.folder / "search" / "ivfpq-1200-dimensions32" / "index.json").exists()
        assert str(run.folder / "search") in found
    else:
        with pytest.raises((PapermillExecutionError, ImportError), match=re.escape("pip install 'fsclib[gallery]'")):
            text_of("10_gallery", ".", **asked)


def test_paper(home, executed, tiny):
    """Of a network without modules, which has fewer figures."""
    fit(tiny(dataset="regdb", network="twostream", stages=4, epochs=1, identities=4, name="one"))
    found = executed("09_paper", ".", dataset="regdb", runs="one", sweep="none", workers=1)
    made = home / "results" / "paper" / "regdb"
    assert "literature" in outputs(found)
    assert "03_evaluate has not computed the untrained baselines of one" in outputs(found)
    assert pictures(found) == len(list((made / "figures").glob("*.pdf"))) > 10
    assert (made / "paper.pdf").exists() == (shutil.which("pdflatex") is not None)


def test_an_ablation_from_grid_to_tables(home, executed):
    """One of its three cells is done beforehand."""
    grid = {
        "fixed": SMALL | {"dataset": "llcm", "stages": 4, "epochs": 1, "decay": "1"},
        "grids": [{"modules": ["none", "frequency,channel,spatial"]}, {"network": ["agw"]}],
        "seeds": [0],
    }
    file = home / "three.yaml"
    file.write_text(yaml.safe_dump(grid))
    first = fit(sweep.read(file).cells[0].config)
    trained = (first.folder / "metrics.json").stat().st_mtime_ns
    text = outputs(executed("06_ablation", "notebooks", dataset="llcm", sweep=file, network="agw", workers=2))
    assert (first.folder / "metrics.json").stat().st_mtime_ns == trained
    assert "3 of 3 done" in text
    assert "modules, compared with none:" in text
    assert "network, compared with agw:" in text
    assert "fsc and agw differ in more than the switch" in text
    assert "Synthetic people" in text
    assert "llcm/three-none-seed0: made on synthetic people" in text
    assert "tables beside the literature on llcm" in text
    report = home / "results" / "llcm" / "three"
    rows = pd.read_csv(report / "tables" / "ablation_modules.csv")
    assert list(rows["variant"]) == ["none", "frequency + channel + spatial"]
    assert (rows["parameters"].diff()[1:] > 0).all()
    trained = json.loads((home / "results/llcm/three-frequency.channel.spatial-seed0/metrics.json").read_text())
    assert rows["paper.ir2vis.map.mean"][1] == pytest.approx(trained["paper.ir2vis.map"])
    assert r"\toprule" in (report / "tables" / "ablation_modules.tex").read_text()
    for switch in ("modules", "network"):
        assert (report / "figures" / f"ablation_{switch}.pdf").stat().st_size > 1000
    assert (report / "three-agw-seed0.ipynb").exists()


@pytest.mark.long("two more notebooks of a sweep")
def test_shipped_networks_are_compared_without_training(home, capsys):
    """Two rows of the committed sweep on a small corpus: notebook 02 with nothing to train, then the cells of 06."""
    grid = yaml.safe_load((REPOSITORY / "sweeps/people.yaml").read_text())
    grid["fixed"] |= {"dataset": "llcm", "scale": "tiny", "identities": 2, "workers": 1}
    grid["grids"] = [one for one in grid["grids"] if one["network"][0] in ("twostream", "fsc")]
    file = home / "people.yaml"
    file.write_text(yaml.safe_dump(grid))
    run_cells("06_ablation", dataset="llcm", sweep=str(file), workers=2)
    text = capsys.readouterr().out
    assert "2 of 2 done" in text
    assert "network, compared with twostream:" in text
    rows = pd.read_csv(home / "results/llcm/people/tables/ablation_network.csv")
    assert list(rows["variant"]) == ["twostream", "fsc"]
    assert rows["megabytes"].gt(0).all()


def test_mistyped_parameters_are_refused_together_before_any_work(home, executed):
    with pytest.raises(PapermillExecutionError) as caught:
        executed("02_train", "notebooks", epoch=5, lr="abc", dataset="lcm")
    assert "epoch: no such parameter, did you mean 'epochs'?" in str(caught.value)
    assert "lr: found 'abc' (str), expected a number" in str(caught.value)
    assert "did you mean 'llcm'?" in str(caught.value)
    assert not (home / "results").exists()


def run_cells(notebook: str, number: int | None = None, **parameters) -> None:
    """Runs the first code cells of a notebook, or all, in this process, with parameters as papermill injects them."""
    sources = ["".join(cell["source"]) for cell in cells(REPOSITORY / f"notebooks/{notebook}.ipynb") if cell["cell_type"] == "code"]
    injected = "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in parameters.items())])
    namespace: dict = {"In": [""], "display": display}
    for source in (sources[0], injected, *sources[1:number]):
        namespace["In"].append(source)
        exec(source, namespace)


def test_a_parameter_of_another_notebook_is_refused(home):
    with pytest.raises(ConfigError, match="epochs: not a parameter of this notebook"):
        run_cells("01_data", 2, epochs=5)


def test_the_error_for_a_missing_data_set_names_source_and_substitute(home):
    (home / "data").unlink()
    with pytest.raises(DatasetError) as caught:
        run_cells("01_data", 3, dataset="llcm")
    for part in ("Xiamen University", "python -m synthpeople --layout llcm", str(home / "data/LLCM")):
        assert part in str(caught.value)
