"""Synthetic corpora on disk have the layouts of the originals: folders, names, index files, camera gaps."""

import re

import numpy as np
import pytest
from corpora import fake_draw, images, index, numbers, tree, written


@pytest.fixture(autouse=True)
def _without_drawing(monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)


def test_sysu_layout(tmp_path):
    files = tree(written(tmp_path / "c", "sysu", 20))
    lists = {split: numbers(files.pop(f"exp/{split}_id.txt")) for split in ("train", "val", "test")}
    assert sorted(who for people in lists.values() for who in people) == list(range(1, 21))
    assert min(map(len, lists.values())) >= 2
    assert files.keys() == images(files) | {"corpus.json", "attributes.csv"}
    seen = [re.fullmatch(r"cam([1-6])/(\d{4})/(\d{4})\.jpg", path) for path in images(files)]
    cameras = {who: {int(m[1]) for m in seen if int(m[2]) == who} for who in range(1, 21)}
    assert {int(m[3]) for m in seen} == {1, 2}
    assert all(passed & {1, 2, 4, 5} and passed & {3, 6} for passed in cameras.values())
    assert any(passed < {1, 2, 3, 4, 5, 6} for passed in cameras.values())
    assert set.union(*cameras.values()) == {1, 2, 3, 4, 5, 6}


def test_regdb_layout(tmp_path):
    people = 7
    files = tree(written(tmp_path / "c", "regdb", people, images=99))
    assert len(images(files)) == people * 10 * 2
    halvings = set()
    for trial in range(1, 11):
        in_trial, owners = [], {}
        for split in ("train", "test"):
            listed = {name: index(files[f"idx/{split}_{name}_{trial}.txt"]) for name in ("visible", "thermal")}
            for name, entries in listed.items():
                in_trial += entries
                found = [re.fullmatch(rf"{name.title()}/(\d+)/[^/]+\.bmp", path) for path in entries]
                people_of = {label: {m[1] for m in found if entries[m[0]] == label} for label in entries.values()}
                assert list(people_of) == list(range(len(people_of)))  # labels count from 0
                assert all(len(one) == 1 for one in people_of.values())
                assert set(np.bincount(list(entries.values()))) == {10}
                owners[split, name] = frozenset(who for one in people_of.values() for who in one)
            assert owners[split, "visible"] == owners[split, "thermal"]
        assert sorted(in_trial) == sorted(images(files))  # so the halves are disjoint and nothing is missing
        assert len(owners["train", "visible"]) == people // 2
        halvings.add(owners["train", "visible"])
    assert len(halvings) > 1
    assert len(files) == len(images(files)) + 40 + 2


def test_llcm_layout(tmp_path):
    files = tree(written(tmp_path / "c", "llcm", 24, train_share=0.5))
    test = numbers(files["idx/test_id.txt"])
    assert len(test) == 12
    train, cameras = {}, {}
    for short in ("vis", "nir"):
        listed = index(files[f"idx/train_{short}.txt"])
        name = rf"(\d{{4}})_c0([1-9])_s\d{{6}}_f\d{{4,}}_{short}\.jpg"
        for path, label in listed.items():
            found = re.fullmatch(rf"{short}/(\d{{4}})/{name}", path)
            assert found[1] == found[2]
            train[short, int(found[1])] = label
        tested = {path for path in images(files) if path.startswith(f"test_{short}/")}
        for path in tested:
            found = re.fullmatch(rf"test_{short}/cam([1-9])/(\d{{4}})/{name}", path)
            assert (found[1], found[2]) == (found[4], found[3])
            cameras.setdefault((short, int(found[2])), set()).add(int(found[1]))
        assert listed.keys() | tested == {path for path in images(files) if f"{short}/" in path}
    people = sorted({who for _, who in train})
    assert sorted(people + test) == list(range(1, 25))
    assert all(train["vis", who] == train["nir", who] == label for label, who in enumerate(people))
    assert set.union(*(cameras["nir", who] for who in test)) == {1, 2, 4, 5, 6, 7, 8, 9}
    assert set.union(*(cameras["vis", who] for who in test)) == set(range(1, 10))
    assert all(len(cameras["nir", who]) > 1 < len(cameras["vis", who]) < 9 for who in test)
