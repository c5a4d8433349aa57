"""A genuine example of every kind of file that the library reads, with the function that reads it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from benchmarks import results
from fsclib import runs
from fsclib.analysis import literature as published
from fsclib.analysis.literature import PublishedError
from fsclib.config import Config
from fsclib.data.layouts import regdb
from fsclib.data.pixels.cache import open_cache
from fsclib.models.backbone import BACKBONES, imagenet_weights
from fsclib.models.official import load_official, read_official
from fsclib.retrieval.features import Features, read_features, write_features
from fsclib.runs import RunError, checkpoint
from fsclib.runs.checkpoint import CheckpointError
from synthpeople.generate import write_corpus
from workbook import html_report, sweep
from workbook.masks import MaskError, read_corpus
from workbook.sweep.cell import Job
from workbook.sweep.file import SweepError

ENVIRONMENT = {"data_hash": "d", "pixels_hash": "p", "precision": "float32", "revision": "r", "packages": {"torch": "2"}}
ORIGIN = {"checkpoint": "c", "data": "d"}
SIZE = (8, 6)


@dataclass(frozen=True)
class Target:
    """A file, the function that reads it, the errors with which it may refuse the file, and a word for reading without an error."""

    file: Path
    read: Callable[[], Any]
    errors: tuple[type[Exception], ...]
    outcome: str = "read"


def trial(name: str, target: Target, put: Callable[[Path], Any]) -> str:
    """Replaces the file with what `put` creates, reads it, and restores the genuine one. Returns the outcome in a word.

    Errors: those of the reading that are not among its `errors`, with a note on what was read.
    """
    aside = target.file.with_name("aside")
    target.file.rename(aside)
    put(target.file)
    try:
        target.read()
        return target.outcome
    except target.errors as error:
        return "refused" if 0 < len(str(error)) < 5000 else f"refused in {len(str(error))} characters"
    except Exception as error:
        error.add_note(f"{name}: {target.file}")
        raise
    finally:
        if target.file.is_dir() and not target.file.is_symlink():
            target.file.rmdir()
        target.file.unlink(missing_ok=True)
        aside.rename(target.file)


def _offline(*words: Any, **options: Any) -> None:
    raise OSError("offline")


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def optimizer(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def targets(folder: Path, monkeypatch: Any) -> dict[str, Target]:
    """Creates the files below `folder`, which must be empty. No target reads files that reading another one creates."""
    return _of_a_run(folder) | _of_networks(folder, monkeypatch) | _of_data(folder / "data") | _others(folder)


def _of_a_run(folder: Path) -> dict[str, Target]:
    run = runs.begin(Config(dataset="llcm", name="run"), ENVIRONMENT, folder / "results")
    run.add_to_log({"epoch": 0, "lr": 0.1, "total": 2.5, "seconds": 3.0})
    run.finish({"paper.ir2vis.rank1": 12.5, "select_on": "last"})
    identities = {"mode": ["paper"], "direction": ["ir2vis"], "identity": [3], "share": [1.0], "rank1": [1.0], "map": [2.0]}
    table = run.save_table(pd.DataFrame(identities | {"minp": [3.0]}), "identities")
    config, log, refused = run.folder / "config.json", run.folder / "log.csv", (RunError,)
    return {
        "config.json of a run": Target(config, lambda: runs.load("llcm", "run", folder / "results"), refused),
        "config.json before training": Target(config, lambda: runs.check(run.config, results=folder / "results"), refused),
        "metrics.json": Target(run.folder / "metrics.json", lambda: (run.headline(), run.metrics), refused),
        "log.csv": Target(log, run.log, refused),
        "log.csv appended to": Target(log, lambda: run.add_to_log({"epoch": 9, "lr": 0.1}), refused),
        "table of a run": Target(table, lambda: run.read_table("identities"), refused),
    }


def _of_networks(folder: Path, monkeypatch: Any) -> dict[str, Target]:
    net = network()
    sgd = optimizer(net)
    net(torch.randn(5, 3)).sum().backward()
    sgd.step()
    state = {"epoch": 3, "num_classes": 2, "best": 0.5, "best_epoch": 3}
    last, best, official = (folder / name for name in ("last.safetensors", "best.safetensors", "published.t"))
    checkpoint.write(last, net, sgd, state)
    checkpoint.write(best, net, None, state)
    published_net = BACKBONES["resnet18"][0]()
    torch.save({"net": {"module.classifier.weight": torch.ones(2, 3)}, "epoch": 3}, official)
    embeddings = folder / "embeddings" / "test.safetensors"
    write_features(embeddings, Features(np.arange(3), torch.rand(2, 3, 4), torch.rand(2, 3, 4)), ORIGIN)
    weights = folder / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    weights.parent.mkdir(parents=True)
    torch.save(published_net.state_dict(), weights)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _offline)

    def resume() -> None:
        fresh = network()
        checkpoint.read(last, fresh, optimizer(fresh))

    def load_published() -> None:
        small = nn.Module()
        small.classifier, small.layers = nn.Linear(3, 2, bias=False), []
        load_official(small, read_official(official))

    return {
        "last.safetensors": Target(last, resume, (CheckpointError,)),
        "best.safetensors": Target(best, lambda: checkpoint.read(best, network()), (CheckpointError,)),
        "state of best.safetensors": Target(best, lambda: checkpoint.state(best, "num_classes"), (CheckpointError,)),
        "published checkpoint": Target(official, load_published, (ValueError,)),
        "ImageNet weights": Target(weights, lambda: imagenet_weights("resnet18"), (ValueError, FileNotFoundError)),
        "embeddings": Target(embeddings, lambda: read_features(embeddings, ORIGIN), (), "rebuilt"),
    }


def _of_data(folder: Path) -> dict[str, Target]:
    images, cache = folder / "images", folder / "cache"
    images.mkdir(parents=True)
    for number in range(4):
        Image.new("RGB", SIZE, (9 * number, 1, 2)).save(images / f"{number}.png")
    names = [f"{number}.png" for number in range(4)]
    expected = open_cache(images, names, SIZE, cache, progress=False)
    pixels, index = np.array(expected.pixels), next(cache.glob("*.json"))

    def decode(whole: bool = True) -> None:
        found = open_cache(images, names, SIZE, cache, progress=False)
        assert found.pixels.shape == pixels.shape
        assert found.data_hash == expected.data_hash
        (pixel_file,) = cache.glob("*.npy")
        assert not whole or np.array_equal(found.pixels, pixels)
        if pixel_file.name != Path(expected.pixels.filename).name:  # so that the next trial finds the file under its old name
            pixel_file.rename(expected.pixels.filename)
            index.write_text(index.read_text().replace(pixel_file.name, Path(expected.pixels.filename).name))

    def picture() -> None:
        found = open_cache(images, ["0.png"], SIZE, folder / "other", progress=False)
        assert bool(found.valid[0]) != bool(found.problems)

    corpus = folder / "corpus"
    write_corpus(corpus, "regdb", 4, height=48, width=16, workers=1, progress=False)
    lines = corpus / "idx" / "train_visible_1.txt"
    stamp = corpus / "corpus.json"
    options = {"height": 48, "width": 16, "workers": 1, "progress": False}
    return {
        "index of the cache": Target(index, decode, (), "rebuilt"),
        # changed pixels in a file of the same size are not noticed: checking them would take as long as decoding
        "pixels of the cache": Target(Path(expected.pixels.filename), lambda: decode(whole=False), (), "rebuilt"),
        "image": Target(images / "0.png", picture, (), "listed as a problem"),
        "index of a data set": Target(lines, lambda: regdb.read(corpus), (), "listed as a problem"),
        "corpus.json, for masks": Target(stamp, lambda: read_corpus(corpus), (MaskError,)),
        "corpus.json, to be completed": Target(stamp, lambda: write_corpus(corpus, "regdb", 4, **options), (FileExistsError,)),
    }


def _others(folder: Path) -> dict[str, Target]:
    grid = folder / "grid.yaml"
    grid.write_text("fixed: {dataset: llcm}\ngrids:\n  - modules: [none]\nseeds: [0]\nslurm: {timeout_min: 5}\n")
    notebook = folder / "notebooks" / "one.ipynb"
    notebook.parent.mkdir()
    cells = [nbformat.v4.new_markdown_cell("# T\n\nText."), nbformat.v4.new_code_cell("1", execution_count=1)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    literature, measured = folder / "published.csv", folder / "measured.json"
    literature.write_bytes(published.FILE.read_bytes())
    measured.write_text(json.dumps({"machine": "m", "device": "cpu", "cases": {}, "curves": {}}))
    job = Job(notebook=notebook, parameters={"name": "cell"}, folder=folder / "results" / "llcm" / "grid")
    job.folder.mkdir(parents=True)
    job.error_file.write_text("ValueError: no\n")
    return {
        "sweep file": Target(grid, lambda: sweep.read(grid, check=False), (SweepError,)),
        "executed notebook": Target(notebook, lambda: html_report.write(notebook.parent), (), "listed as a problem"),
        "published.csv": Target(literature, lambda: published.literature(literature), (PublishedError,)),
        "results of benchmarks": Target(measured, lambda: results.read(measured, "m"), (ValueError,)),
        "error of a sweep": Target(job.error_file, lambda: job.error, (), "shown as text"),
    }
