"""Drawing, training and testing give the same numbers where files cannot be mapped, fsync is slow and there are no locks."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from programs import TINY, end, start, training
from safetensors.torch import load_file
from tally import LONG, keep

from fsclib.config import Config
from fsclib.training.loop import fit
from synthpeople import __main__ as command_line

EVALUATE = "from fsclib import runs; from fsclib.retrieval.evaluation import evaluate_run; evaluate_run(runs.load('llcm', 'a'))"
CORPUS = "synthpeople --layout llcm --identities 12 --images 2 --seed 3 --height 64 --width 24 --out"
COMPARED = ("checkpoints/last.safetensors", "checkpoints/best.safetensors", "embeddings/test.safetensors")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A shared library that overrides functions of the C library."""
    if sys.platform != "linux":
        pytest.skip("needs LD_PRELOAD and /proc")
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler (cc) is installed")
    file = tmp_path_factory.mktemp("library") / "oddities.so"
    source = Path(__file__).with_name("oddities.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(file), str(source)], check=True)
    return file


def output_of(*arguments, **options):
    status, out, errors = end(start(*arguments, **options))
    assert status == 0, errors
    return out


@pytest.mark.parametrize("epochs", [1, 3] if LONG else [1])
def test_results_are_the_same_on_an_odd_file_system(library, tmp_path, monkeypatch, epochs):
    odd, usual, ledger = tmp_path / "odd", tmp_path / "usual", tmp_path / "ledger"
    environment = {"LD_PRELOAD": str(library), "ODD_FOLDER": str(odd), "ODD_LEDGER": str(ledger)}
    environment |= {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # as in this process, which trains the same
    output_of(odd, *CORPUS.split(), odd / "data" / "LLCM", environment=environment)
    out = output_of(odd, *training("a", epochs=epochs), environment=environment)
    assert "cannot map files: reading" in out
    assert "no file locks here" in out
    assert set(ledger.read_text()) == {"m", "s", "l"}  # each oddity was met
    out = output_of(odd, "-c", EVALUATE, environment=environment) if LONG else ""
    assert "embedding images" not in out  # the stored embeddings were read

    command_line.main([*CORPUS.split()[1:], str(usual / "data" / "LLCM")])
    monkeypatch.setenv("FSCLIB_HOME", str(usual))
    fit(Config(**TINY | {"epochs": epochs}, name="a"))
    first, second = (home / "results/llcm/a" for home in (odd, usual))
    assert json.loads((first / "metrics.json").read_text()) == json.loads((second / "metrics.json").read_text())
    for file in COMPARED:
        found, expected = load_file(first / file), load_file(second / file)
        assert found.keys() == expected.keys()
        assert all(bool((found[name] == value).all()) for name, value in expected.items()), file
    keep("disk", f"no mmap, slow fsync, no locks, {epochs} epochs", {"drawn, trained and tested to the same numbers": 1})
