"""Tables of images, their problems, labels and held-out identities."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsclib.data.records import (
    COLUMNS,
    INFRARED,
    NO_MATCH,
    NO_TEST,
    NO_TRAINING,
    SHOWN,
    VISIBLE,
    DatasetError,
    Problem,
    check_records,
    counts,
    held_out_number,
    hold_out,
    lonely_identities,
    select,
    table,
    training_labels,
)


def people(identities, split="train", modalities=(VISIBLE, INFRARED), images=1):
    return [
        (f"{split}/{modality}/{identity:04d}/{image}.jpg", identity, 1 + (modality == INFRARED), modality, split)
        for identity in identities
        for modality in modalities
        for image in range(images)
    ]


SOUND = people([3, 8, 20, 21]) + people([4, 5], "test")


def test_table_has_the_columns_and_integer_types_even_when_empty():
    for rows in ([], SOUND):
        found = table(rows)
        assert tuple(found.columns) == COLUMNS
        assert found["identity"].dtype == np.int64
        assert found["camera"].dtype == np.int64
        assert found.index.tolist() == list(range(len(rows)))


def test_select_gives_positions_of_splits_and_modalities():
    found = table(SOUND)
    assert select(found, "test").tolist() == [8, 9, 10, 11]
    assert select(found, ("train", "val"), INFRARED).tolist() == [1, 3, 5, 7]
    assert select(found, "val").dtype == np.int64


def test_a_problem_reads_as_place_finding_and_fix():
    assert str(Problem("idx/a.txt", 7, "no label", "write one")) == "idx/a.txt:7: no label — write one"
    assert str(Problem("cam1", None, "no such folder", "restore it")) == "cam1: no such folder — restore it"


def test_the_error_counts_by_kind_and_lists_the_first_in_full():
    problems = [Problem(f"a{number}.jpg", None, "is empty", "restore it", "empty image") for number in range(SHOWN)]
    problems += [Problem("idx/a.txt", 3, "bad label", "fix it") for _ in range(7)]
    lines = str(DatasetError(problems, "RegDB")).splitlines()
    assert lines[0] == f"RegDB: {SHOWN + 7} problems"
    assert lines[1].split() == [str(SHOWN), "×", "empty", "image"]
    assert lines[2].split() == ["7", "×", "bad", "label"]
    assert lines[3:-1] == [str(problem) for problem in problems[:SHOWN]]
    assert lines[-1] == "… and 7 more; notebook 01_data lists all of them"


def test_the_error_survives_pickling():
    error = DatasetError([Problem("a", 1, "b", "c")], "LLCM")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.problems == error.problems


@settings(deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=60))
def test_training_labels_number_the_identities_in_order(identities):
    labels = training_labels(identities)
    assert labels.dtype == np.int64
    assert [sorted(set(identities)).index(identity) for identity in identities] == labels.tolist()


@settings(deadline=None)
@given(st.integers(4, 60), st.integers(0, 99))
def test_hold_out_marks_whole_identities_of_training_only(number, seed):
    records = table(people(range(10, 10 + number)) + people([4, 5], "test"))
    held = hold_out(records, seed)
    marked = set(held.loc[held["split"] == "val", "identity"])
    assert len(marked) == max(2, number // 5)
    assert not marked & set(held.loc[held["split"] == "train", "identity"])
    assert held.loc[held["split"] == "test"].equals(records.loc[records["split"] == "test"])
    assert (records["split"] != "val").all(), "the table given must stay as it was"
    assert held.equals(hold_out(records, seed))


@settings(deadline=None)
@given(st.integers(8, 60), st.integers(0, 99), st.integers(2, 7))
def test_hold_out_keeps_families_together(number, seed, every):
    families = {i: i - 1 if i % every == 0 else i for i in range(1, number + 1)}
    held = hold_out(table(people(range(1, number + 1))), seed, families)
    marked = set(held.loc[held["split"] == "val", "identity"])
    assert max(2, number // 5) <= len(marked) <= max(2, number // 5) + 1
    for identity, first in families.items():
        assert (identity in marked) == (first in marked)


def test_the_number_of_people_held_out():
    assert [held_out_number(n) for n in (4, 10, 206, 300, 395, 713, 1000, 2000)] == [2, 2, 41, 50, 50, 71, 100, 200]


def test_hold_out_depends_on_the_seed():
    records = table(people(range(40)))
    draws = [tuple(select(hold_out(records, seed), "val")) for seed in range(5)]
    assert len(set(draws)) > 1


def test_hold_out_keeps_the_validation_identities_of_the_data_set():
    records = table(people([1, 2, 3]) + people([9], "val"))
    held = hold_out(records, 0)
    assert held.equals(records)
    assert held is not records


def test_hold_out_refuses_to_leave_too_few_training_identities():
    with pytest.raises(ValueError, match="2 of 3 training identities"):
        hold_out(table(people([1, 2, 3])), 0)


def test_sound_records_have_no_problem():
    assert check_records(table(SOUND)) == []
    assert check_records(table(people([1, 2]) + people([3], "val") + people([4], "test"))) == []


def test_an_identity_with_one_modality_is_reported_with_its_folder():
    records = table(SOUND + people([30], modalities=[VISIBLE], images=2) + people([31], "val", modalities=[INFRARED]))
    assert lonely_identities(records).tolist() == [30, 31]
    first, second = check_records(records, "exp/train_id.txt")
    assert (first.path, second.path) == ("train/visible/0030", "val/infrared/0031")
    assert "identity 30 has 2 visible" in first.found
    assert "no visible" in second.found
    assert "exp/train_id.txt" in first.fix


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        (people([4], "test"), [NO_TRAINING, NO_TRAINING]),
        (people([1], modalities=[VISIBLE]) + people([4], "test"), [NO_TRAINING]),
        (people([1]), [NO_TEST, NO_TEST]),
        (people([1]) + people([4], "test", [INFRARED]), [NO_TEST]),
        (people([1]) + people([4], "test", [INFRARED]) + people([5], "test", [VISIBLE]), [NO_MATCH]),
        ([], [NO_TRAINING, NO_TRAINING, NO_TEST, NO_TEST]),
    ],
)
def test_unusable_tables_are_reported(rows, kinds):
    assert [problem.kind for problem in check_records(table(rows))] == kinds


def test_control_characters_in_names_are_escaped():
    problem = Problem("a\x1b[2J\nb\u202e.jpg", 3, "lost \x9b1m \udcff", "é 人 — fix\u3000it", "kind\x07")
    assert str(problem) == "a\\x1b[2J\\nb\\u202e.jpg:3: lost \\x9b1m \\udcff — é 人 — fix\u3000it"
    lines = str(DatasetError([problem], "in /a\rb")).splitlines()
    assert lines == ["in /a\\rb: 1 problem", "      1 × kind\\x07", str(problem)]


def test_counts_are_listed_by_split_modality_and_camera():
    found = counts(table(people([4], "test") + people([1, 2], images=3) + people([9], "val")))
    assert found["images"].tolist() == [6, 6, 1, 1, 1, 1]
    assert found["identities"].tolist() == [2, 2, 1, 1, 1, 1]
    assert found["split"].tolist() == ["train", "train", "val", "val", "test", "test"]
    assert found["modality"].tolist() == [VISIBLE, INFRARED] * 3
    assert found["camera"].tolist() == [1, 2] * 3
