"""The demo corpus is drawn once, completed after an interruption, and not drawn for other data sets."""

import pytest

from fsclib.data.datasets import LAYOUTS, open_dataset
from fsclib.data.records import DatasetError
from workbook import demo


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a demo corpus of a few people."""
    monkeypatch.setattr(demo, "DEMO", {"layout": "llcm", "identities": 8, "seed": 1, "images": 1, "train_share": 0.5})
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    return tmp_path / "data" / "demo"


def test_the_corpus_is_written_on_first_use_and_reused(folder):
    demo.ensure("demo")
    first = open_dataset("demo")
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    demo.ensure("demo")
    assert (first.name, first.spec.layout, first.root) == ("demo", "llcm", folder)
    assert first.records.equals(open_dataset("demo").records)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == written


def test_an_interrupted_corpus_is_completed(folder):
    demo.ensure("demo")
    whole = open_dataset("demo")
    content = {path: path.read_bytes() for path in folder.rglob("*.jpg")}
    (folder / "corpus.json").unlink()
    for path in list(content)[::2]:
        path.unlink()
    demo.ensure("demo")
    assert open_dataset("demo").records.equals(whole.records)
    assert {path: path.read_bytes() for path in folder.rglob("*.jpg")} == content


def test_the_error_for_a_broken_corpus_says_how_to_renew_it(folder):
    demo.ensure("demo")
    (folder / "idx/test_id.txt").write_text("seven")
    with pytest.raises(DatasetError, match="delete the folder"):
        open_dataset("demo")


@pytest.mark.parametrize(("dataset", "root"), [("llcm", ""), ("demo", "elsewhere")])
def test_the_corpus_is_not_drawn_for_other_data_sets_or_folders(folder, dataset, root):
    demo.ensure(dataset, root)
    assert not folder.exists()


def test_the_corpus_has_a_known_layout():
    assert demo.DEMO["layout"] in LAYOUTS
