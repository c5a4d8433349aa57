"""No name or path in a file leads out of its folder, and using a folder from elsewhere writes to no other folder."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from tally import keep
from targets import ENVIRONMENT

from fsclib import runs
from fsclib.config import Config, ConfigError
from fsclib.data.images import open_images
from fsclib.data.layouts import llcm, sysu
from fsclib.data.pixels.cache import open_cache
from fsclib.data.records import DatasetError
from fsclib.runs import RunError
from fsclib.runs.__main__ import main
from fsclib.system.storage import write_text
from workbook import embedding, explorer, paper, sweep
from workbook.attention import subjects
from workbook.sweep.file import SweepError

NAMES = [
    "../sysu/run", "../../results/sysu/run", "{home}/results/sysu/run", "..", ".", "run/../run", "run/", "./run", "a\\b", "run\n",
    "run\0",
    "-run", ".run", "~", "~root", "$HOME", "$(touch marker)", "`touch marker`", "run;touch marker", "run|x", "run *",
    "r" * 101, "r" * 5000,
    "räume", "run\u202e", "%2e%2e", "<b>run", "run$1$", "CON:",
]  # fmt: skip


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A home in which two data sets each have a finished run of the same name."""
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    for dataset in ("llcm", "sysu"):
        runs.begin(Config(dataset=dataset, name="run"), ENVIRONMENT).finish({"select_on": "last"})
    return tmp_path


USES: dict[str, Callable[[str], object]] = {
    "Config": lambda name: Config(dataset="llcm", name=name),
    "runs.load": lambda name: runs.load("llcm", name),
    "python -m fsclib.runs": lambda name: main(["llcm", name]),
    "05_attention": lambda name: subjects.open_runs(subjects.AttentionOptions(dataset="llcm", names=[name])),
    "07_embedding": lambda name: embedding.load(embedding.EmbeddingOptions(dataset="llcm", names=[name])),
    "explore": lambda name: explorer.ExplorerOptions(dataset="llcm", name=name).run(),
    "09_paper": lambda name: paper.plan(paper.PaperOptions(dataset="llcm", runs=[name], sweep="none")),
    "sweep of a paper": lambda name: paper.plan(paper.PaperOptions(dataset="llcm", runs=["run"], sweep=f"{name}.yaml")),
    "data set": lambda name: runs.load(name, "run"),
}


@pytest.mark.parametrize("use", USES)
def test_name_is_never_used_as_a_path(place, use):
    before, outcomes = tree(place), Counter()
    for name in NAMES:
        name = name.format(home=place)
        with pytest.raises((ConfigError, RunError, SweepError)) as caught:
            USES[use](name)
        assert len(str(caught.value)) < 12_000
        outcomes["refused"] += 1
    assert tree(place) == before
    keep("hostile files", f"names given to {use}", outcomes)


def test_run_in_a_folder_with_an_invalid_name_is_reported(place, caplog):
    (place / "results/llcm/run").rename(place / "results/llcm/<b>$x$")
    assert list(runs.table(dataset="llcm")) == list(runs.table(names=["<b>$x$"])) == []
    assert [message.count("'<b>$x$' is not a valid name of a run; rename the folder") for message in caplog.messages] == [1, 1]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"dataset": "sysu"}, "found data set 'sysu', expected 'llcm' in this folder"),
        ({"dataset": "../sysu"}, "dataset: found '../sysu'"),
        ({"name": "../../sysu/run"}, "name: found '../../sysu/run'"),
        ({"cls": 1, "self": 2}, "cls: no such parameter"),
        ({"__class__": "os.system"}, "__class__: no such parameter"),
        ({"data_root": "\0"}, "data_root: found"),
        ({"seed": [[[1]]]}, "expected a plain value"),
    ],
)
def test_config_of_another_run_or_with_bad_values_is_refused(place, changes, problem):
    _change(place / "results/llcm/run", config=changes)
    before = tree(place)
    with pytest.raises(RunError) as caught:
        runs.load("llcm", "run")
    assert problem in str(caught.value)
    assert tree(place) == before


@pytest.mark.parametrize("changes", [{"precision": 16}, {"data_hash": ["d"]}, {"packages": ["torch"]}, {"revision": 1}, None])
def test_invalid_environment_is_refused(place, changes):
    _change(place / "results/llcm/run", environment=changes)
    with pytest.raises(RunError, match=r"llcm/run/config\.json: cannot be read \(environment"):
        runs.load("llcm", "run")


def _change(folder: Path, config=(), environment=()) -> None:
    content = json.loads((folder / "config.json").read_text())
    content["config"] |= dict(config)
    content["environment"] = {} if environment is None else content["environment"] | dict(environment)
    (folder / "config.json").write_text(json.dumps(content))


def test_run_writes_only_in_its_folder_whatever_its_config_says(place):
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("x")
    _change(place / "results/llcm/run", config={"data_root": str(elsewhere), "name": "other"})
    before = tree(place)
    run = runs.load("llcm", "run")
    run.add_to_log({"epoch": 0, "lr": 0.1})
    run.save_table(pd.DataFrame({"a": [1]}), "mine")
    run.finish({"select_on": "last"})
    with pytest.raises(DatasetError, match="elsewhere"):
        open_images(run.config.dataset, (64, 32), run.config.data_root)
    changed = {name for name, content in tree(place).items() if before.get(name) != content}
    assert changed <= {f"results/llcm/run/{name}" for name in ("log.csv", "tables/mine.csv", "tables/mine.tex", "metrics.json")}


def cached(folder):
    """The opened cache of an image below a folder, and the file of the cache's index."""
    images, cache = folder / "images", folder / "cache"
    if not images.exists():
        images.mkdir()
        Image.new("RGB", (6, 8), (1, 2, 3)).save(images / "a.png")
    found = open_cache(images, ["a.png"], (8, 6), cache, progress=False)
    (index,) = cache.glob("*.json")
    return found, index


INSIDE = ["../secret.npy", "{home}/secret.npy", "x/../../secret.npy", "secret.npy", 3, None, ["secret.npy"]]


@pytest.mark.parametrize("inside", INSIDE)
def test_cache_index_cannot_name_a_foreign_file(tmp_path, inside):
    found, index = cached(tmp_path)
    for folder in (tmp_path, index.parent):
        np.save(folder / "secret.npy", np.full((1, 8, 6, 3), 77, np.uint8))
    content = json.loads(index.read_text())
    inside = inside.format(home=tmp_path) if isinstance(inside, str) else inside
    index.write_text(json.dumps(content | {"pixels": inside, "bytes": (tmp_path / "secret.npy").stat().st_size}))
    again, _ = cached(tmp_path)
    assert np.array_equal(again.pixels, found.pixels)
    assert (tmp_path / "secret.npy").exists()
    assert (index.parent / "secret.npy").exists()


STRANGE = [
    {"data_hash": 3}, {"images": 3}, {"images": [[["a.png"], [1, 2, "x", ""]]]}, {"images": [["a.png", [1, 2, 3, 4]]]},
    {"images": [["a.png", ["1", 2, "x", ""]]]}, {"images": {"a.png": 1}}, {"format": None}, {"more": 1}, {"height": "8"},
]  # fmt: skip


@pytest.mark.parametrize("change", STRANGE)
def test_cache_index_with_invalid_values_is_rebuilt(tmp_path, change):
    found, index = cached(tmp_path)
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    again, _ = cached(tmp_path)
    assert (again.data_hash, again.pixels.tolist()) == (found.data_hash, found.pixels.tolist())


def test_write_text_replaces_links(tmp_path):
    victim, file = tmp_path / "victim", tmp_path / "metrics.json"
    victim.write_text("mine")
    for name in (file.name, f"{file.name}.part"):
        (tmp_path / name).symlink_to(victim)
    write_text(file, "{}")
    assert victim.read_text() == "mine"
    assert file.read_text() == "{}"
    assert not file.is_symlink()


@pytest.mark.parametrize(
    ("reader", "index", "trees"),
    [(sysu, "exp/{}_id.txt", ("train", "val", "test")), (llcm, "idx/{}_id.txt", ("test",))],
    ids=["sysu", "llcm"],
)
def test_identity_is_a_number_and_not_a_path(tmp_path, reader, index, trees):
    root = tmp_path / "data"
    for folder in ("exp", "idx"):
        (root / folder).mkdir(parents=True)
    for name in ("train_vis", "train_nir"):
        (root / "idx" / f"{name}.txt").write_text("")
    Image.new("RGB", (6, 8)).save(tmp_path / "outside.jpg")
    words = ["..", "../..", "1/../..", "/", str(tmp_path), "-1", "+1", "1_0", "0x1", "1e1", "٣", "１", "²", "1" * 19]
    for split in trees:
        (root / index.format(split)).write_text(",".join(words), encoding="utf-8")
    before = tree(tmp_path)
    records, problems = reader.read(root)
    assert records.empty
    assert sum(problem.kind == "bad identity" for problem in problems) == len(words) * len(trees)
    assert tree(tmp_path) == before


OPTIONS = [
    ("slurm_setup", ["touch marker"]), ("slurm_teardown", ["touch marker"]), ("setup", ["touch marker"]), ("folder", "/"), ("", 1),
    ("slurm_additional_parameters", {"wrap": "touch marker"}), ("slurm_srun_args", ["--prolog=marker"]), ("slurm_python", "marker"),
    ("local_setup", ["touch marker"]), ("name", "x"), ("slurm_partition", "gpu\ntouch marker"), ("slurm_comment", "a\rtouch x"),
    ("slurm_time", ["1"]), ("nodes", None), ("slurm_account", {"a": 1}), ("slurm_mail_user", "a\x1b[2J"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), OPTIONS)
def test_sweep_file_cannot_pass_commands_to_a_cluster(place, name, value):
    file = place / "grid.yaml"
    usual = {"fixed": {"dataset": "llcm"}, "grids": [{"modules": ["none"]}], "seeds": [0]}
    file.write_text(yaml.safe_dump(usual | {"slurm": {"timeout_min": 5, "slurm_partition": "gpu", name: value}}))
    with pytest.raises(SweepError) as caught:
        sweep.read(file, check=False)
    (problem,) = caught.value.problems
    assert problem.startswith("slurm, ")
    file.write_text(yaml.safe_dump(usual | {"slurm": {"timeout_min": 5, "slurm_partition": "gpu"}}))
    assert sweep.read(file, check=False).slurm == {"timeout_min": 5, "slurm_partition": "gpu"}
