"""The command line: every command explains itself, does what its example says, and refuses nonsense with a message and a status."""

import shutil
import subprocess
import sys
from pathlib import Path

import corpora
import pandas as pd
import pytest

from fsclib import runs
from fsclib.config import Config
from fsclib.data.records import DatasetError
from fsclib.inference.embedder import read_embeddings
from fsclib.training.loop import fit
from workbook import cli


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with visible/ and infrared/, images of six people each."""
    return corpora.photos(tmp_path_factory.mktemp("cli") / "photos", 6)


def test_help_lists_an_example_of_every_command(capsys):
    assert cli.main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  fsclib {name} " in printed for name in cli.COMMANDS)
    assert cli.main([]) == 2
    assert cli.main(["rnk"]) == 2
    assert "no such command, did you mean 'rank'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_explains_itself_with_an_example(name, capsys):
    try:
        status = cli.main([name, "--help"])
    except SystemExit as end:
        status = end.code
    assert not status
    printed = " ".join(capsys.readouterr().out.split())
    assert cli.COMMANDS[name][0] in printed
    assert len(printed) > 150


def test_pictures_are_embedded_ranked_and_drawn(photos, tmp_path, capsys):
    plain = ["--device", "cpu"]
    assert cli.main(["embed", str(photos / "visible"), "--modality", "visible", "--out", str(tmp_path / "gallery"), *plain]) == 0
    assert len(read_embeddings(tmp_path / "gallery")) == 60
    words = [str(photos / "infrared"), str(tmp_path / "gallery"), "--k", "3", "--out", str(tmp_path / "ranked.csv"), *plain]
    assert cli.main(["rank", *words, "--figure", str(tmp_path / "ranked.png")]) == 0
    found = pd.read_csv(tmp_path / "ranked.csv")
    assert len(found) == 60 * 3
    assert (tmp_path / "ranked.png").read_bytes()[:4] == b"\x89PNG"
    assert cli.main(["rank", str(photos / "nowhere"), str(photos / "visible")]) == 1
    assert "expected a folder" in capsys.readouterr().err


def test_a_network_is_evaluated_on_ones_own_folder_beside_chance(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    assert cli.main(["evaluate", str(photos), "--name", "people/agw", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    for word in ("ir2vis", "vis2ir", "chance", "raw pixels"):
        assert word in printed
    assert (tmp_path / "results/photos/shipped-agw-trial1/metrics.json").exists()


def test_data_of_test_images_only_are_evaluated_but_not_trained_on(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    mine = tmp_path / "mine"
    shutil.copytree(photos, mine / "test")
    for chosen in ("last", "holdout"):
        with pytest.raises(DatasetError, match="all images are test images — put some people into the split train"):
            fit(Config(dataset=str(mine), select_on=chosen, device="cpu"))
    assert not (tmp_path / "results").exists()
    assert cli.main(["evaluate", str(mine), "--name", "people/agw", "--device", "cpu"]) == 0
    assert "chance" in capsys.readouterr().out
    run = runs.load("mine", "shipped-agw-trial1", device="cpu")
    assert run.metrics["numbers"]["test visible images"] == 60


def test_a_broken_image_is_refused_and_leaves_no_run_behind(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    mine = shutil.copytree(photos, tmp_path / "mine")
    next(mine.rglob("*.bmp")).write_bytes(b"BM")
    assert cli.main(["evaluate", str(mine), "--name", "people/agw", "--device", "cpu"]) == 1
    assert "1 × broken image" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_errors_are_a_message_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "workbook.cli", "train", "--epochs", "x"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 1
    assert "epochs: found 'x' (str), expected a whole number" in done.stderr
    assert "Traceback" not in done.stderr
