"""Links that lead out of a data set are followed and reported in one line."""

import shutil

import pytest

from fsclib.config.specs import DATASETS
from fsclib.data.datasets import open_dataset
from fsclib.data.links import leading_out


@pytest.fixture
def llcm(corpora, tmp_path):
    return shutil.copytree(corpora / "data" / DATASETS["llcm"].folder, tmp_path / "LLCM")


@pytest.mark.parametrize("what", ["image", "folder", "folder above"])
def test_a_link_that_leads_out_is_followed_and_reported_once(llcm, tmp_path, capsys, what):
    expected = open_dataset("llcm", llcm).records
    assert "out of this folder" not in capsys.readouterr().out
    image = llcm / expected["path"].iloc[0]
    place = {"image": image, "folder": image.parent, "folder above": image.parent.parent}[what]
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        assert open_dataset("llcm", llcm).records.equals(expected)
    name = str(place.relative_to(llcm))
    message = f"{llcm}: a link leads out of this folder, such as '{name}' to '{tmp_path}/elsewhere'; the images there are used\n"
    assert capsys.readouterr().out == message  # once
    assert leading_out(llcm, expected["path"]) == [name]


def test_links_within_a_data_set_are_not_reported(llcm, tmp_path):
    paths = open_dataset("llcm", llcm).records["path"]
    image = llcm / paths.iloc[0]
    image.parent.rename(llcm / "moved")
    image.parent.symlink_to(llcm / "moved")
    (llcm / "loop").symlink_to(".")
    (tmp_path / "link").symlink_to(llcm)  # to the whole data set
    assert leading_out(llcm, [*paths, "loop/x"]) == leading_out(tmp_path / "link", paths) == []
