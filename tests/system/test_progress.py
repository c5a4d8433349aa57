"""Progress is a bar in a terminal or an interactive notebook, and a few lines otherwise."""

import pytest
import tqdm.std
from jupyter_client.manager import start_new_kernel

from fsclib.system import progress as module
from fsclib.system.progress import Lines, progress, watched


@pytest.fixture
def clock(monkeypatch):
    """Time changes only with `clock[0]`."""
    now = [100.0]
    monkeypatch.setattr(tqdm.std, "time", lambda: now[0])
    return now


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("FSCLIB_HEADLESS", "CI"):
        monkeypatch.delenv(name, raising=False)


def test_one_line_when_headless(monkeypatch, capsys, clock):
    monkeypatch.setenv("FSCLIB_HEADLESS", "1")
    for number, item in enumerate(progress(range(50), "reading")):
        clock[0] += 0.1
        assert item == number
        assert capsys.readouterr().out == ""
    assert capsys.readouterr().out == "reading: 50 in 5 s, 10.0/s\n"


def test_one_line_per_minute_during_long_work(monkeypatch, capsys, clock):
    monkeypatch.setenv("FSCLIB_HEADLESS", "1")
    with progress(300, "decoding") as bar:
        for _ in range(3):
            clock[0] += 50
            bar.update(100)
    assert capsys.readouterr().out.splitlines() == [
        "decoding: 200 of 300 in 100 s, 2.0/s",
        "decoding: 300 in 150 s, 2.0/s",
    ]


def test_unfinished_work_is_reported_once(monkeypatch, capsys, clock):
    monkeypatch.setenv("FSCLIB_HEADLESS", "1")
    bar = progress(10, "training")
    bar.update(3)
    bar.close()
    bar.close()
    assert capsys.readouterr().out == "training: 3 of 10 in 0 s\n"


def test_hidden_progress_is_silent(monkeypatch, capsys):
    monkeypatch.setenv("FSCLIB_HEADLESS", "0")
    assert list(progress(iter("abc"), "reading", shown=False)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_a_bar_in_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    assert watched()
    bar = progress(range(3), "reading")
    assert not isinstance(bar, Lines)
    assert list(bar) == [0, 1, 2]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "reading: 100%" in printed.err


def test_watched_outside_a_notebook(monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: False, raising=False)
    assert not watched()
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    assert watched()
    monkeypatch.setenv("CI", "true")
    assert not watched()
    monkeypatch.setenv("FSCLIB_HEADLESS", "0")
    assert watched()


def test_watched_in_a_notebook_depends_on_the_front_end():
    """papermill and nbconvert run cells with `allow_stdin=False`, JupyterLab and VS Code with True."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        for offered in (True, False, True):
            printed = []
            client.execute_interactive(
                "from fsclib.system.progress import watched; print(watched())",
                allow_stdin=offered,
                timeout=60,
                output_hook=lambda message, printed=printed: printed.append(message["content"].get("text")),
            )
            assert f"{offered}\n" in printed
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
