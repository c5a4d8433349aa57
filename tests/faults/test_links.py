"""The library never writes through links that came with a folder, but follows the user's own links."""

import itertools
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from odd_places import USER_LINKS, outcome, places, put, untouched, victim
from tally import keep
from writers import WRITERS, notebook, prepare, tree

from fsclib import runs
from fsclib.config import Config
from fsclib.system import locks
from fsclib.system.opening import LinkError, check_folders, open_file
from workbook import gallery
from workbook.paper import typesetting
from workbook.sweep import cell, cluster
from workbook.sweep.cluster import ClusterError

every_writer = pytest.mark.parametrize("writer", WRITERS, ids=[writer.name for writer in WRITERS])


@every_writer
def test_linked_files_are_not_written_through(writer, tmp_path):
    home, found = tmp_path / "home", Counter()
    for place in places(writer, home)[0]:
        for target in ("thesis.txt", "nothing"):  # an existing target and a missing one
            shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
            file = victim(tmp_path / "elsewhere")
            prepare(writer, home)
            put(home / place, partial(Path.symlink_to, target=file.with_name(target)))
            error = outcome(lambda: writer.write(home))
            assert untouched(file), (place, target, error)
            if error.startswith("LinkError"):
                assert f"{home / place} is a link to '{file.with_name(target)}'" in error
            found["refused" if error else "replaced or only read"] += 1
    keep("links", f"files of {writer.name}", found)


@every_writer
def test_linked_folders_are_not_written_into(writer, tmp_path):
    home, found = tmp_path / "home", Counter()
    inside = [place for place in places(writer, home)[1] if place not in USER_LINKS and ".old-" not in place]  # a run moved aside
    for place, begun in itertools.product(inside, (False, True)):  # before and after a complete write
        shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
        file = victim(tmp_path / "elsewhere")
        prepare(writer, home)
        if begun:
            writer.write(home)
        put(home / place, partial(Path.symlink_to, target=file.parent))
        error = outcome(lambda: writer.write(home))
        assert untouched(file), (place, error)
        if begun and (home / place).is_symlink():
            assert f"{home / place} is a link to '{file.parent}'" in error
        assert str(home) in error or not (home / place).is_symlink(), (place, error)
        found["refused" if error else "moved aside"] += 1
    keep("links", f"folders of {writer.name}", found)


@every_writer
def test_links_of_the_user_are_followed(writer, tmp_path):
    home, disk = tmp_path / "home", tmp_path / "disk"
    prepare(writer, home)
    writer.write(home)
    expected = tree(home)
    for place in sorted(USER_LINKS.intersection(places(writer, home)[1])):
        shutil.rmtree(disk, ignore_errors=True)
        prepare(writer, home)
        if (home / place).exists():
            (home / place).rename(disk)
        else:
            (home / place).parent.mkdir(parents=True, exist_ok=True)
            disk.mkdir()
        (home / place).symlink_to(disk)
        writer.write(home)
        shutil.copytree(home, tmp_path / "flat")  # with the targets of links in their place
        assert tree(tmp_path / "flat") == expected, place
        shutil.rmtree(tmp_path / "flat")


def job(folder):
    notebook(folder)
    return cell.Job(notebook=folder / "02_train.ipynb", parameters={"name": "a"}, folder=folder / "results" / "llcm" / "s")


def test_a_sweep_does_not_write_its_notebook_through_a_link(tmp_path):
    """papermill itself would write through it."""
    one, file = job(tmp_path), victim(tmp_path / "elsewhere")
    put(one.executed, lambda path: path.symlink_to(file))
    assert cell.run_cell(one) == cell.FAILED
    assert untouched(file)
    assert f"{one.executed} is a link to '{file}', through which nothing is written; expected a file; remove it" in one.error


def test_linked_folder_for_jobs_is_refused(tmp_path):
    one, file = job(tmp_path), victim(tmp_path / "elsewhere")
    put(one.folder / "jobs", lambda path: path.symlink_to(file.parent))
    pytest.importorskip("submitit")
    with pytest.raises(ClusterError, match=f"{one.folder / 'jobs'} is a link to"):
        cluster.run(Sweep((one,)), "local", lambda: None)
    assert untouched(file)


class Sweep:
    name, slurm = "s", {}

    def __init__(self, cells):
        self.cells = cells


def test_the_log_of_latex_replaces_a_link(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "pdflatex"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    file = victim(tmp_path / "elsewhere")
    (tmp_path / "paper.log").symlink_to(file)
    assert "pdflatex ended with status 1" in typesetting.typeset(tmp_path / "paper.tex")
    assert untouched(file)
    assert not (tmp_path / "paper.log").is_symlink()


@pytest.mark.parametrize("place", ["search", "search/real"])
def test_linked_folder_for_an_index_is_refused(tmp_path, place):
    run = runs.begin(Config(dataset="llcm", name="mine"), {"data_hash": "d", "precision": "float32"}, tmp_path)
    file = victim(tmp_path / "elsewhere")
    put(run.folder / place, lambda path: path.symlink_to(file.parent))
    with pytest.raises(LinkError, match=f"mine/{place} is a link to"):
        gallery._inside(run, "real")
    assert untouched(file)


def test_refusal_says_what_was_found_and_what_to_do(tmp_path):
    file = victim(tmp_path / "elsewhere")
    (tmp_path / "figures").symlink_to(file.parent)
    with pytest.raises(LinkError) as caught:
        check_folders(tmp_path / "figures" / "a", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/figures is a link to '{file.parent}', through which nothing is written; expected a folder (to use another "
        f"disk, link {tmp_path} as a whole); remove it and start the same command again"
    )
    for act in (lambda path: open_file(path, "ab"), locks.held):
        (tmp_path / "x").unlink(missing_ok=True)
        (tmp_path / "x").symlink_to(file)
        with pytest.raises(LinkError, match="/x is a link to"):
            act(tmp_path / "x")
    assert locks.holder(tmp_path / "x") == "another process"
    assert untouched(file)
