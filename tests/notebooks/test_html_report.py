"""Executed notebooks as web pages that need no network, and an index that shows how each notebook ended."""

import base64
import os
import re
import shutil
import signal
import subprocess
import sys

import nbformat
import papermill
import pytest
from ending import message
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbook import html_report
from workbook.html_report import ReportError, duration, page, write

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FETCHED = r"""(?:src|href)=["'](?!data:|#|html/)|@import|url\((?!["']?data:)|import\("""  # what a page would load from the network


@pytest.fixture
def save(tmp_path):
    """save(name, cells…, **metadata) writes a notebook as if each code cell with outputs had run."""

    def _save(name, *cells, **metadata):
        nbformat.write(new_notebook(cells=list(cells), metadata=metadata), tmp_path / f"{name}.ipynb")
        return tmp_path / f"{name}.ipynb"

    return _save


def ran(source, *outputs):
    return new_code_cell(source, execution_count=1, outputs=list(outputs))


def heading(text="# 02 · Train\n\nTrains a network. Run it again."):
    return new_markdown_cell(text)


def test_a_complete_notebook_is_listed_with_title_sentence_and_time(save):
    file = save("02_train", heading(), ran("1 + 1"), papermill={"duration": 386.06})
    found = page(file)
    assert (found.title, found.sentence, found.seconds, found.problem) == ("02 · Train", "Trains a network.", 386.06, "")
    text = write(file.parent).read_text()
    row = '<a href="html/02_train.html">02 · Train</a><br><small>02_train.ipynb</small></td><td>Trains a network.</td>'
    assert f'{row}<td class="time">6 min 26 s</td><td>complete</td>' in text
    assert "1 notebook, none of them failed or not complete" in text


@pytest.mark.parametrize(
    ("text", "title", "sentence"),
    [
        ("# What is there?\nCounts\nfiles, such as `a.png`. Then more.", "What is there?", "Counts files, such as `a.png`."),
        ("# Only a title", "Only a title", ""),
        ("# Title\n\nno full stop", "Title", ""),
        ("## Not a title\n\nText.", "name", ""),
        ("# A\n\nTakes 0.5 s of e-mail. B", "A", "Takes 0.5 s of e-mail."),
    ],
)
def test_title_and_sentence_come_from_the_first_heading(save, text, title, sentence):
    found = page(save("name", new_markdown_cell("an error cell of papermill"), heading(text)))
    assert (found.title, found.sentence) == (title, sentence)


def test_pages_contain_pictures_and_results_and_fetch_nothing(save):
    picture = new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "IntSlider()"}
    slider = new_output("display_data", widget)
    script = new_output("display_data", {"application/javascript": "alert(1)", "text/plain": "a script"})
    table = new_output("execute_result", {"text/html": "<table><tr><td>rank-1</td></tr></table>", "text/plain": "rank-1"})
    state = {"application/vnd.jupyter.widget-state+json": {"version_major": 2, "version_minor": 0, "state": {}}}
    file = save("pictures", heading("# T & U"), ran("draw()", picture, slider, script, table), widgets=state)
    write(file.parent)
    text = (file.parent / "html/pictures.html").read_text()
    assert f"data:image/png;base64,{PNG}" in re.sub(r"\s", "", text)
    assert "<title>T &amp; U</title>" in text
    for shown in ("IntSlider()", "a script", "<td>rank-1</td>"):
        assert shown in text
    assert "alert(1)" not in text
    assert not re.findall(FETCHED, text)
    assert not re.findall(FETCHED, (file.parent / "index.html").read_text())


def test_pictures_in_markdown_are_embedded(save, tmp_path):
    (tmp_path / "figures").mkdir()
    for name in ("dot.svg", "figures/dot.svg"):
        (tmp_path / name).write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><!-- {name} --></svg>")
    write(save("prose", heading("# T\n\n![a dot](dot.svg) ![another](figures/dot.svg) ![none](nowhere.png)")).parent)
    text = (tmp_path / "html/prose.html").read_text()
    for name in ("dot.svg", "figures/dot.svg"):
        assert f"data:image/svg+xml;base64,{base64.b64encode((tmp_path / name).read_bytes()).decode()}" in text


def test_links_pipes_and_files_elsewhere_are_not_embedded(save, tmp_path, monkeypatch):
    copy = shutil.copyfile

    def refuse(source, target):
        if source.name == "closed.png":  # another user's
            raise PermissionError(13, "Permission denied", str(source))
        copy(source, target)

    secret = tmp_path.parent / "secret.png"
    secret.write_bytes(b"a secret")
    (tmp_path / "link.png").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "secret.txt").write_bytes(b"a secret")
    (tmp_path / "closed.png").write_bytes(b"a secret")
    monkeypatch.setattr(shutil, "copyfile", refuse)
    prose = f"![](closed.png) ![]({secret}) ![](link.png) ![](pipe.png) ![](secret.txt) ![](../secret.png) <img src='link.png'>"
    write(save("prose", heading(f"# T\n\n{prose}")).parent)
    assert base64.b64encode(b"a secret").decode() not in (tmp_path / "html/prose.html").read_text()


def test_the_error_of_a_cell_is_shown(save):
    message = "invalid parameters:\n  epochs: 0"
    error = new_output("error", ename="ConfigError", evalue=message, traceback=["the <last> line"])
    file = save("failed", heading(), ran("fit()", error), new_code_cell("later()"))
    assert page(file).problem == "failed: ConfigError: invalid parameters:"
    text = write(file.parent).read_text()
    assert '<td class="failed">failed: ConfigError: invalid parameters:</td>' in text
    assert "1 notebook, 1 of them failed" in text
    assert "the &lt;last&gt; line" in (file.parent / "html/failed.html").read_text()


def test_a_partly_executed_notebook_is_not_complete(save):
    file = save("short", heading(), ran("1"), new_code_cell("2"), new_code_cell(""))
    assert page(file).problem == "not complete: 1 of 2 cells have run"
    assert page(file).seconds is None


def test_a_notebook_whose_kernel_was_killed_is_not_complete(save, tmp_path):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    kill = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
    file = save("source", heading(), new_code_cell("1"), new_code_cell(kill), kernelspec=kernel)
    with pytest.raises(Exception, match="Kernel died"):
        papermill.execute_notebook(file, tmp_path / "killed.ipynb", progress_bar=False)
    found = page(tmp_path / "killed.ipynb")
    assert found.problem == "not complete: 1 of 2 cells have run"
    assert found.seconds > 0


NO_CELL = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [3]}'


@pytest.mark.parametrize("text", ["", '{"cells": [', "[]", "{}", '"x"', NO_CELL])
def test_a_file_that_is_not_a_notebook_is_listed_as_failed(save, tmp_path, text):
    save("good", heading(), ran("1"))
    (tmp_path / "torn.ipynb").write_text(text)
    index = write(tmp_path).read_text()
    assert "2 notebooks, 1 of them failed" in index
    assert '<td class="failed">cannot be read: ' in index
    assert {file.name for file in (tmp_path / "html").iterdir()} == {"good.html"}


def test_html_in_names_and_markdown_is_escaped(save, tmp_path):
    name = 'a <b>&"%20é'
    save(name, heading("# <i> & `x`\n\nIs `a < b` <u>so</u>?"), ran("1"))
    index = write(tmp_path).read_text()
    assert '<a href="html/a%20%3Cb%3E%26%22%2520%C3%A9.html">&lt;i&gt; &amp; `x`</a>' in index
    assert "Is <code>a &lt; b</code> &lt;u&gt;so&lt;/u&gt;?" in index
    assert "<small>a &lt;b&gt;&amp;&#34;%20é.ipynb</small>" in index
    assert (tmp_path / "html" / f"{name}.html").exists()


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (386, "6 min 26 s"), (7530, "2 h 5 min")]
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text


def test_a_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(ReportError, match="found no notebook, expected executed ones"):
        write(tmp_path / "nowhere")


def test_the_command_prints_the_path_of_the_index(save, tmp_path):
    save("one", heading(), ran("1"))
    command = [sys.executable, "-m", html_report.__name__]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"index: {tmp_path / 'index.html'}{os.linesep}"
    for words in ([], [str(tmp_path / "html")]):
        assert message(html_report.__name__, *words)


@pytest.mark.parametrize("sign", ["[a](", "![", r"\\(", "<!--"])
def test_markdown_that_would_take_minutes_is_replaced(save, tmp_path, sign):
    """Eighteen seconds for 80 kB of it, and four times as long for twice as much."""
    slow = new_output("display_data", {"text/markdown": 20_000 * sign, "text/plain": "plain"})
    save("slow", heading(), new_markdown_cell(20_000 * sign), ran("1", slow), new_markdown_cell(100 * "[a](b) "))
    write(tmp_path)
    text = (tmp_path / "html/slow.html").read_text()
    assert text.count("Not shown: more than 1,000 brackets") == 2
    assert text.count('<a href="b"') == 100
    assert len(text) < 1_000_000
