"""After SIGKILL at any moment, the same command completes with the result of an uninterrupted run and leaves nothing behind."""

import shutil
import sys
from pathlib import Path

import killing
import pytest
import yaml
from killing import Stage, survive
from tally import LONG, keep

from fsclib.config.specs import DATASETS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the descendants of a command are found in /proc")

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_train.ipynb"
PARAMETERS = {
    "dataset": "llcm", "scale": "tiny", "stages": 3, "height": 64, "width": 24, "identities": 4, "images": 2, "epochs": 3,
    "decay": 2, "select_on": "holdout", "validate_every": 1, "precision": "float32", "device": "cpu", "workers": 2,
}  # fmt: skip
CORPUS = (
    "-m", "synthpeople", "--layout", "llcm", "--out", "data/LLCM", "--identities", "20", "--seed", "1", "--images", "2",
    "--height", "64", "--width", "24", "--masks", "--workers",
)  # fmt: skip
CACHE = ("-c", "from fsclib.data.images import open_images; open_images('llcm', (384, 144), workers=2)")
TEST = (
    "-c",
    "from fsclib import runs; from fsclib.retrieval.evaluation import evaluate_run; "
    "evaluate_run(runs.load('llcm', 'killed', device='cpu', workers=1))",
)
INDEX = """
import numpy as np
from pathlib import Path
from fsclib.retrieval.gallery import Cut, Entries, IndexOptions, Origin, build
draw = np.random.default_rng(0)
images = Entries(draw.standard_normal((30_000, 192), np.float32), *draw.integers(0, 99, (2, 30_000)), "drawn")
build(Path("index"), Cut(images, 1000), Origin("0" * 32), IndexOptions(kind="ivfpq", dimensions=64, lists=64))
"""
PAPERMILL = ("-m", "papermill", str(NOTEBOOK), "out.ipynb", "--no-progress-bar", "--start-timeout", "300")


def arguments(option: str, values: dict, name: str = "killed") -> tuple[str, ...]:
    """Parameters as command-line arguments. option: "-p" or "--"."""
    pairs = ({"name": name} | values).items()
    return tuple(word for key, value in pairs for word in (*((option, key) if option == "-p" else (option + key,)), str(value)))


TRAIN = ("-m", "fsclib.training", *arguments("--", PARAMETERS))


def with_nothing(corpora: Path, home: Path) -> None:
    """The home stays empty."""


def with_images(corpora: Path, home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / DATASETS["llcm"].folder).symlink_to(corpora / "data" / DATASETS["llcm"].folder)


def with_changed_images(corpora: Path, home: Path) -> None:
    """A cache, and images that changed after it was built: the first of every two now equals the second."""
    folder = home / "data" / DATASETS["llcm"].folder
    shutil.copytree(corpora / "data" / DATASETS["llcm"].folder, folder)
    _run(CACHE, home)
    images = sorted(folder.rglob("*.jpg"))
    for first, second in zip(images[::2], images[1::2], strict=False):
        first.write_bytes(second.read_bytes())


def with_training(corpora: Path, home: Path) -> None:
    """A run that is trained but not tested."""
    with_images(corpora, home)
    _run(TRAIN, home)
    run = home / "results" / "llcm" / "killed"
    (run / "metrics.json").unlink()
    shutil.rmtree(run / "tables")
    shutil.rmtree(run / "embeddings")


def with_sweep(corpora: Path, home: Path) -> None:
    with_images(corpora, home)
    grid = {"fixed": PARAMETERS | {"epochs": 2}, "grids": [{"modules": ["none", "frequency,channel"]}], "seeds": [0]}
    (home / "two.yaml").write_text(yaml.safe_dump(grid))


def _run(command: tuple[str, ...], home: Path) -> None:
    killing.complete(Stage("before", command, with_nothing), home, "before the kills")


STAGES = {  # stage → number of kills in the long and in the short form
    Stage("corpus, two processes", (*CORPUS, "2"), with_nothing): (7, 0),
    Stage("corpus, one process", (*CORPUS, "1"), with_nothing): (6, 0),
    Stage("cache", CACHE, with_images): (6, 1),
    Stage("cache of changed images", CACHE, with_changed_images): (7, 0),
    Stage("training", TRAIN, with_images): (12, 1),
    Stage("training that starts two processes", (*TRAIN, "--devices", "2"), with_images): (8, 0),
    Stage("one of two processes that train", (*TRAIN, "--devices", "2"), with_images, victim="-u -m fsclib.training"): (4, 0),
    Stage("evaluation", TEST, with_training): (6, 0),
    Stage("index of a gallery", ("-c", INDEX), with_nothing): (6, 0),
    Stage("sweep", ("-m", "workbook.sweep", "two.yaml", "--workers", "2"), with_sweep): (5, 0),
    Stage("papermill", (*PAPERMILL, *arguments("-p", PARAMETERS)), with_images): (6, 0),
    Stage("kernel of papermill", (*PAPERMILL, *arguments("-p", PARAMETERS)), with_images, victim="ipykernel_launcher"): (3, 0),
}


@pytest.mark.parametrize("stage", [stage for stage, kills in STAGES.items() if kills[not LONG]], ids=lambda stage: stage.name)
def test_same_command_completes_after_kills(stage, corpora, tmp_path):
    kills_by_kind = survive(stage, corpora, tmp_path, STAGES[stage][not LONG])
    keep("killed", stage.name, {f"{kind}, then as if uninterrupted": number for kind, number in sorted(kills_by_kind.items())})
