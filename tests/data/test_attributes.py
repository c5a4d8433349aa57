"""Attributes of synthetic people from attributes.csv, and near twins held out together."""

import os

import numpy as np
import pandas as pd
import pytest
from trees import append, llcm_tree, regdb_tree, sysu_tree, write

from fsclib.data.attributes import RELATIONS, families, held_out, person_of, read_attributes, targets
from fsclib.data.datasets import open_dataset
from fsclib.data.records import hold_out
from fsclib.system import reading
from synthpeople.corpus import Corpus
from synthpeople.drawing import family

PEOPLE = 60
HEAD = "identity,hat,coat,height,twin_of,differs_in"
ROWS = ["3,cap,red,1.800,none,none", "7,none,blue,1.750,none,none", "8,cap,blue,1.750,7,hat"]


def with_table(root, rows=ROWS, head=HEAD):
    write(root, "attributes.csv", "\n".join([head, *rows]) + "\n")
    return root


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The table of a corpus, as the generator writes it."""
    root = tmp_path_factory.mktemp("corpus")
    write(root, "attributes.csv", Corpus("llcm", PEOPLE, seed=4).plan().texts["attributes.csv"])
    return read_attributes(root)


def test_every_person_of_a_corpus_has_a_row(generated):
    assert generated["identity"].tolist() == list(range(1, PEOPLE + 1))
    assert generated["identity"].dtype == np.int64
    assert generated.drop(columns="identity").map(lambda value: isinstance(value, str)).all(axis=None)


def test_twins_share_a_family_and_everyone_else_has_their_own(generated):
    found = families(generated)
    assert found == {person: family(person) for person in range(1, PEOPLE + 1)}
    assert len(set(found.values())) < PEOPLE


def test_without_attributes_csv_there_are_no_attributes(tmp_path):
    assert read_attributes(tmp_path) is None


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"\xff\xfe\x00", b"identity,twin_of\n1,none\n", f"{HEAD}\n".encode(),
        *("\n".join([HEAD, *rows]).encode() for rows in (
            [*ROWS, ROWS[0]], [*ROWS, "9,cap,red"], [*ROWS, ROWS[0] + ",more"], [*ROWS, '9,"cap,red,1.8,none,none'],
            ["x,cap,red,1.800,none,none"], ["1,cap,red,1.800,somebody,hat"], [f"{10**30},cap,red,1.8,none,none"],
        )),
    ],
)  # fmt: skip
def test_the_error_names_a_broken_file(tmp_path, broken):
    (tmp_path / "attributes.csv").write_bytes(broken)
    with pytest.raises(ValueError, match=r"attributes\.csv: cannot be read .*generate the corpus again"):
        read_attributes(tmp_path)


def test_neither_a_pipe_nor_a_huge_file_is_read(tmp_path):
    os.mkfifo(tmp_path / "attributes.csv")
    with pytest.raises(ValueError, match="is not a regular file"):
        read_attributes(tmp_path)
    (tmp_path / "attributes.csv").unlink()
    with (tmp_path / "attributes.csv").open("wb") as file:
        file.truncate(reading.LARGEST + 1)
    with pytest.raises(ValueError, match="expected at most"):
        read_attributes(tmp_path)


def test_person_of_is_the_number_of_the_folder():
    paths = ["vis/0351/0351_c06_s200656_f4830_vis.jpg", "cam1/0003/0001.jpg", "Visible/12/v_1.bmp"]
    assert person_of(paths).tolist() == [351, 3, 12]
    assert person_of(pd.Series(paths)).dtype == np.int64
    assert person_of([]).dtype == np.int64
    for path in ("x.jpg", "vis/-3/x.jpg", "vis/³/x.jpg", "vis/1e3/x.jpg", "vis/12345678901/x.jpg"):
        with pytest.raises(ValueError, match="expected the number of a person"):
            person_of([path])


def test_targets_number_the_values_of_each_attribute_in_sorted_order(tmp_path):
    found = targets(read_attributes(with_table(tmp_path)), np.array([8, 3, 8]))
    assert found.names == ("hat", "coat")  # height is a fraction, the other columns are RELATIONS
    assert found.sizes == (2, 2)
    assert found.codes.tolist() == [[0, 0], [0, 1], [0, 0]]  # cap before none, blue before red
    assert found.codes.dtype == np.int64


def test_targets_of_a_corpus_match_its_table(generated):
    persons = np.array([5, 1, 60, 5])
    found = targets(generated, persons)
    assert not {*RELATIONS, "build_girth", "stride", "upper_cloth_infrared", "shoes_front"} & set(found.names)
    assert {"hair", "glasses", "upper_kind", "lower_cloth_colour", "bag", "shoes_kind"} <= set(found.names)
    rows = generated.set_index("identity")
    for column, name, size in zip(found.codes.T, found.names, found.sizes, strict=True):
        values = sorted(set(rows[name]))
        assert 2 <= len(values) == size
        assert [values[code] for code in column] == rows.loc[persons, name].tolist()
    whole = targets(generated, generated["identity"].to_numpy())
    assert [len(set(column)) for column in whole.codes.T] == list(whole.sizes)
    # the code of a value does not depend on the people asked for
    assert np.array_equal(whole.codes[persons - 1], found.codes)


def test_a_table_without_attributes_has_no_targets(tmp_path):
    found = targets(read_attributes(with_table(tmp_path, ["1,none,none"], ",".join(RELATIONS))), np.array([1, 1]))
    assert found.codes.shape == (2, 0)
    assert found.names == found.sizes == ()


def test_targets_of_a_person_without_a_row_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no row for person 4; "):
        targets(read_attributes(with_table(tmp_path)), np.array([3, 4]))
    with pytest.raises(ValueError, match="no row for person 4 and 1 others; "):
        targets(read_attributes(with_table(tmp_path)), np.array([3, 4, 5]))


def twins(people):
    """Rows in which every even person is the near twin of the previous one."""
    return [f"{who},cap,red,1.8,{who - 1 if who % 2 == 0 else 'none'},{'hat' if who % 2 == 0 else 'none'}" for who in people]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("layout", ["llcm", "regdb"])
def test_near_twins_are_held_out_together(tmp_path, layout, seed):
    people = range(1, 31)
    if layout == "llcm":
        root = llcm_tree(tmp_path, train=people, test=(40, 50))
        for name in ("vis", "nir"):  # labels unlike the numbers of people, so that twins are not neighbours
            index = root / f"idx/train_{name}.txt"
            lines = [line.split() for line in index.read_text().splitlines()]
            index.write_text("".join(f"{path} {int(label) * 7 % 31}\n" for path, label in lines))
    else:
        root = regdb_tree(tmp_path, people=30)
    dataset = open_dataset(layout, with_table(root, twins(range(1, 61))))
    found = held_out(dataset, seed)
    training = found[found["split"] != "test"]
    sides = training.groupby((person_of(training["path"]) + 1) // 2)["split"].nunique()
    assert (sides == 1).all()
    assert training.loc[training["split"] == "val", "identity"].nunique() == 6
    assert (dataset.records["split"] != "val").all()
    # without the table twins are unknown
    (root / "attributes.csv").unlink()
    assert held_out(dataset, seed).equals(hold_out(dataset.records, seed))


def test_a_data_set_keeps_its_own_validation_identities(tmp_path):
    dataset = open_dataset("sysu", with_table(sysu_tree(tmp_path), twins(range(1, 11))))
    assert held_out(dataset, 0).equals(dataset.records)


def test_people_who_are_not_in_the_table_are_refused(tmp_path):
    root = with_table(llcm_tree(tmp_path, train=range(1, 13)), twins(range(1, 13)))
    for name in ("vis", "nir"):
        append(root, f"idx/train_{name}.txt", f"{name}/0099/0099_c01_s200656_f4830_{name}.jpg 99")
        write(root, f"{name}/0099/0099_c01_s200656_f4830_{name}.jpg")
    with pytest.raises(ValueError, match="no row for person 99; "):
        held_out(open_dataset("llcm", root), 0)
