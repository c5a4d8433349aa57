"""Where data and results are stored."""

from pathlib import Path

import pytest

from fsclib.system import paths


@pytest.mark.parametrize("user", ["~nobodyofthisname", "~homeless"])
def test_the_home_of_an_unknown_user_is_refused(monkeypatch, user):
    monkeypatch.setenv("FSCLIB_HOME", f"{user}/x")
    monkeypatch.setattr(paths.os.path, "expanduser", lambda path: path.replace("~homeless", "/nonexistent"))
    with pytest.raises(paths.HomeError, match=f"FSCLIB_HOME: found '{user}/x', but {user} has no home folder; set it to the full"):
        paths.results_dir()


def test_the_users_home_and_any_other_folder_are_accepted(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    folders = {"~": tmp_path, "~/x": tmp_path / "x", str(tmp_path / "~a"): tmp_path / "~a", "a": Path.cwd() / "a"}
    for named, folder in folders.items():
        monkeypatch.setenv("FSCLIB_HOME", named)
        assert paths.home() == folder.resolve()
