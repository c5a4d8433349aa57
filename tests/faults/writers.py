"""Every place where the library writes files: what is there before, and the call that writes.

Each call writes below a folder `home`. The same call again completes an interrupted one.
"""

import functools
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import matplotlib.figure
import nbformat
import numpy as np
import pandas as pd
import torch
from corpora import fake_draw
from PIL import Image
from torch import nn

from benchmarks import results
from fsclib import runs
from fsclib.config import Config
from fsclib.data.pixels.cache import open_cache
from fsclib.retrieval import features as embedding_features
from fsclib.retrieval import gallery
from fsclib.runs import checkpoint
from fsclib.runs.reports import Report
from fsclib.system import storage
from fsclib.system.disk_space import make_folder
from synthpeople import generate
from workbook import demo, html_report
from workbook.sweep import cell

ENVIRONMENT = {"data_hash": "d", "precision": "float32", "revision": "r" * 6000}
CONFIG = Config(dataset="llcm", scale="tiny", name="mine")
ORIGIN, INDEX = gallery.Origin("0" * 32), gallery.IndexOptions(kind="ivfpq", lists=4, dimensions=8, code=4)
TOKEN = re.compile(rb"\.[0-9a-f]{8}\.npy")  # random part of the name of a pixel file
PLACE = re.compile(rb'", \d+, \d{15,}\]\]')  # inode and change time, at the end of an image's entry in a cache's index


@dataclass(frozen=True)
class Writer:
    """before: prepares a home; write: writes in it; check: raises AssertionError if a failed write has left the home in a state
    that is not allowed. Without it, each file must be as it was before or as it is after a complete write."""

    name: str
    write: Callable[[Path], object]
    before: Callable[[Path], object] = lambda home: None
    check: Callable[[Path], object] | None = None


def tree(home: Path) -> dict[str, bytes]:
    """Every file below a home except locks, without random parts of names, times in an index, and inodes and times in a cache's."""
    found = {}
    for path in home.rglob("*"):
        if path.is_file() and path.suffix != ".lock":
            name = os.fsencode(path.relative_to(home))
            name = TOKEN.sub(b".npy", name).decode()
            assert name not in found, f"a second pixel file: {path}"
            found[name] = PLACE.sub(b'"]]', TOKEN.sub(b".npy", path.read_bytes()))
            if path.name == "index.json":
                found[name] = found[name].partition(b'"seconds"')[0]
    return found


def run_of(home: Path) -> runs.Run:
    return runs.begin(CONFIG, ENVIRONMENT, home)


def long_log(home: Path) -> None:
    rows = {"epoch": range(200), "total": np.linspace(1, 0, 200), "seconds": 1.0}
    pd.DataFrame(rows).to_csv(run_of(home).folder / "log.csv", index=False)


def table(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"name": [f"row {row}" for row in range(rows)], "value": np.arange(rows) / 7})


def figure(points: int) -> matplotlib.figure.Figure:
    made = matplotlib.figure.Figure(figsize=(3, 2))
    made.subplots().plot(np.random.default_rng(0).standard_normal(points))
    return made


def draw(home: Path, points: int) -> None:
    run_of(home).save_figure(figure(points), "f")


def save_checkpoint(home: Path, seed: int) -> None:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(60, 60), nn.Linear(60, 60))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 60)).sum().backward()
    optimizer.step()
    checkpoint.write(home / "last.safetensors", net, optimizer, {"epoch": seed})


def save_features(home: Path, seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    pool, neck = (torch.randn(2, 30, 40, generator=draws) for _ in range(2))
    made = embedding_features.Features(np.arange(30), pool, neck)
    embedding_features.write_features(home / "embeddings" / "test.safetensors", made, {"from": str(seed)})


def draw_images(home: Path, seed: int) -> None:
    source = np.random.default_rng(seed)
    (home / "images").mkdir(exist_ok=True)
    for number in range(8):
        file = home / "images" / f"{number}.png"
        if number % 2 == 0 or not file.exists():  # another seed changes every second image
            Image.fromarray(source.integers(0, 256, (48, 24, 3), dtype=np.uint8)).save(file)
            os.utime(file, (seed, seed))


def decode(home: Path) -> None:
    names = sorted(path.name for path in (home / "images").iterdir())
    open_cache(home / "images", names, (48, 24), home / "cache", workers=1, progress=False)


def decode_then_change(home: Path) -> None:
    draw_images(home, 0)
    decode(home)
    draw_images(home, 1)


@mock.patch("synthpeople.corpus.draw", fake_draw)
def draw_corpus(home: Path) -> None:
    generate.write_corpus(home / "corpus", "llcm", 4, 1, images=1, height=48, width=24, workers=1, progress=False)


@mock.patch("synthpeople.corpus.draw", fake_draw)
def draw_demo(home: Path) -> None:
    usual = demo.DEMO
    demo.DEMO = {"layout": "regdb", "identities": 4, "seed": 1, "height": 48, "width": 24, "workers": 1, "progress": False}
    try:
        demo.draw(home / "data" / "demo")
    finally:
        demo.DEMO = usual


def job_of(home: Path) -> cell.Job:
    return cell.Job(notebook=home / "n.ipynb", parameters={"name": "s-0-seed0"}, folder=home / "results" / "llcm" / "s")


def fail_cell(home: Path) -> None:
    cell.fail(job_of(home), "\n".join(f"line {number} {'x' * 500}" for number in range(cell.LINES)))


def run_cell(home: Path) -> None:
    """As with --retry: a cell that failed on a full disk runs again."""

    def execute(job: cell.Job) -> None:
        storage.write_text(job.executed, "n" * 9000)
        make_folder(job.run_folder)
        storage.write_text(job.run_folder / "metrics.json", "{}" + " " * 5000)

    job = job_of(home)
    job.error_file.unlink(missing_ok=True)
    if (found := cell.run_cell(job, execute)) != cell.DONE:
        assert found == cell.FAILED
        raise OSError(job.error)


def notebook(home: Path) -> None:
    cells = [nbformat.v4.new_markdown_cell("# A title\n\nA sentence."), nbformat.v4.new_code_cell("1 + 1", id="a")]
    for number, each in enumerate(cells):
        each["id"] = str(number)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), home / "02_train.ipynb")


def hold(home: Path) -> None:
    with runs.alone(CONFIG, home / "results"):
        pass


def earlier_run(home: Path) -> None:
    storage.write_text(run_of(home).folder / "log.csv", "epoch\n0\n")


def begin_anew(home: Path) -> None:
    runs.begin(Config(dataset="llcm", scale="tiny", name="mine", resume=False), ENVIRONMENT, home)


def keep_result(home: Path, number: int) -> None:
    results.keep(home / "benchmarks" / "m.json", "m", "cpu", "cases", "case", {"ms": [number] * 3000})


def fill_index(home: Path) -> None:
    gallery.build(home / "index", gallery.Cut(some_images(0), 200), ORIGIN, INDEX)


def add_to_index(home: Path) -> None:
    gallery.append(home / "index", gallery.Cut(some_images(1), 200), ORIGIN)


def check_index(home: Path, unfinished: bool) -> None:
    """The index is as before or as after, with correct hashes; if `unfinished`, it may also be refused as missing or incomplete."""
    try:
        found = len(gallery.Gallery(home / "index", ORIGIN))
    except gallery.SearchError as error:
        if not unfinished or not re.search("is not an index|is not complete", str(error)):
            raise AssertionError from error
    else:
        assert found in (600, 1200)


def some_images(seed: int) -> gallery.Entries:
    draws = np.random.default_rng(seed)
    return gallery.Entries(draws.standard_normal((600, 24), np.float32), *draws.integers(1, 9, (2, 600)), "drawn")


WRITERS = (
    Writer("a text", lambda home: storage.write_text(home / "t", "new" * 5000), lambda home: storage.write_text(home / "t", "old")),
    Writer("the first checkpoint", functools.partial(save_checkpoint, seed=1)),
    Writer("a later checkpoint", functools.partial(save_checkpoint, seed=1), functools.partial(save_checkpoint, seed=0)),
    Writer("the first features", functools.partial(save_features, seed=1)),
    Writer("later features", functools.partial(save_features, seed=1), functools.partial(save_features, seed=0)),
    Writer("the beginning of a run", run_of),
    Writer("a run begun anew", begin_anew, earlier_run),
    Writer("a row of the log", lambda home: run_of(home).add_to_log({"epoch": 200, "total": 0.0, "seconds": 1.0}), long_log),
    Writer("metrics.json", lambda home: run_of(home).finish({f"mode.{n}": n / 7 for n in range(400)}), run_of),
    Writer("a table", lambda home: run_of(home).save_table(table(100), "t"), lambda home: run_of(home).save_table(table(3), "t")),
    Writer("a figure", functools.partial(draw, points=50), functools.partial(draw, points=3)),
    Writer("a report", lambda home: runs.report("llcm", "01_data", home).save_table(table(50), "t")),
    Writer("a report's folder", lambda home: Report(home).save_figure(figure(3), "f")),
    Writer("the lock of a run", hold),
    Writer("the first cache", decode, functools.partial(draw_images, seed=0)),
    Writer("a later cache", decode, decode_then_change),
    Writer("a corpus", draw_corpus),
    Writer("the demo corpus", draw_demo),
    Writer("the error of a cell", fail_cell),
    Writer("a cell", run_cell),
    Writer("web pages", html_report.write, notebook),
    Writer("an index", fill_index, check=functools.partial(check_index, unfinished=True)),
    Writer("an index that is added to", add_to_index, fill_index, check=functools.partial(check_index, unfinished=False)),
    Writer("benchmarks", functools.partial(keep_result, number=2), functools.partial(keep_result, number=1)),
)


def prepare(writer: Writer, home: Path) -> dict[str, bytes]:
    """Makes a home as it is before writing; returns its files."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    writer.before(home)
    return tree(home)
