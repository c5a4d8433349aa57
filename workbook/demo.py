"""The demo corpus: synthetic people in LLCM's layout, drawn into data/demo when a notebook first needs them.

From a shell: python -m workbook.demo
"""

from pathlib import Path
from types import MappingProxyType

from fsclib.config import specs
from fsclib.system import paths
from fsclib.system.disk_space import make_folder
from fsclib.system.locks import lock_beside, locked
from fsclib.system.progress import progress
from synthpeople.generate import write_corpus

# Enough people to learn from and 120 for the test; few enough images for two cores to draw them and train on them in minutes.
DEMO = MappingProxyType(
    {
        "layout": specs.DEMO.layout,
        "identities": 1320,
        "seed": 1,
        "images": 1,
        "test_images": 2,
        "train_share": 0.9091,
        "difficulty": "moderate",
    }
)


def ensure(dataset: str, data_root: str = "") -> None:
    """Draws the demo corpus if it is requested and incomplete; of two processes, one draws and the other waits.

    Does nothing for other data sets, or if `data_root` names another folder.
    """
    if dataset == "demo" and not data_root:
        draw(paths.data_dir() / specs.DEMO.folder)


def draw(folder: Path) -> None:
    """Draws the corpus into a folder, or completes an unfinished one."""
    make_folder(folder.parent)
    with locked(lock_beside(folder), "the demo corpus is being drawn"):
        write_corpus(folder, **{"progress": progress} | DEMO)


if __name__ == "__main__":
    ensure("demo")
