"""One's own images, named by a path: folders, CSV files, the drawn split, and everything wrong with them at once."""

from dataclasses import replace
from pathlib import Path

import pytest
from trees import write

from fsclib.config import Config, ConfigError
from fsclib.config.specs import DATASETS
from fsclib.data.datasets import open_dataset
from fsclib.data.records import DatasetError

PEOPLE = ("ann", "bob", "cy", "di", "ed", "flo")
COLUMNS = "path,id,modality"


def folders(root: Path, people=PEOPLE, cameras=("",), below="") -> Path:
    for modality in ("visible", "infrared"):
        for person in people:
            for camera in cameras:
                write(root, "/".join(filter(None, (below, modality, person, camera, "1.jpg"))))
    return root


def csv_of(root: Path, lines: list[str], header: str = COLUMNS, name: str = "my.csv") -> Path:
    return write(root, name, "\n".join([header, *lines]) + "\n")


def lines_of(root: Path, **columns) -> list[str]:
    """A line for each image below root; columns: a function of the person for each further column."""
    files = sorted(file.relative_to(root) for file in root.rglob("*.jpg"))
    return [
        ",".join([str(file), file.parts[-2], file.parts[-3], *(of(file.parts[-2]) for of in columns.values())]) for file in files
    ]


def people(dataset, split: str) -> set[int]:
    return set(dataset.records.loc[dataset.records["split"] == split, "identity"])


def test_a_folder_is_named_by_its_path(tmp_path, monkeypatch):
    folders(tmp_path / "photos", cameras=("left", "right"))
    monkeypatch.chdir(tmp_path)
    config = Config(dataset="photos")
    assert (config.dataset, config.data_root) == ("photos", str(tmp_path / "photos"))
    found = open_dataset(config.dataset, config.data_root)
    assert (len(found.records), found.problems) == (24, ())
    assert set(found.records["camera"]) == {1, 2}
    assert [str(protocol) for protocol in found.spec.protocols] == ["ir2vis", "vis2ir"]
    assert replace(config, epochs=1).dataset == "photos"
    assert Config(dataset="photos") == config  # also when it is known already


def test_a_csv_file_gives_the_same_records_as_its_folder(tmp_path):
    file = csv_of(folders(tmp_path / "photos"), lines_of(tmp_path / "photos"))
    folder, table = open_dataset(str(file.parent)), open_dataset(str(file))
    assert table.records.sort_values("path", ignore_index=True).equals(folder.records.sort_values("path", ignore_index=True))
    assert (table.name, table.root, folder.root) == ("my", file.parent, file.parent)
    assert dict(zip(table.records["modality"], table.records["camera"], strict=True)) == {"visible": 1, "infrared": 2}


def test_a_run_of_an_earlier_process_is_recognised_by_its_name_and_folder(tmp_path):
    file = csv_of(folders(tmp_path), lines_of(tmp_path))
    assert "my" not in DATASETS
    assert Config(dataset="my", data_root=str(file)).spec.layout == "own"
    with pytest.raises(ConfigError, match="dataset: found 'mine', expected one of"):
        Config(dataset="mine", data_root=str(file))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("nothing.csv", "found 'nothing.csv', but .*/nothing.csv does not exist; give the path of a CSV file, or of a folder with"),
        ("./nothing", "found './nothing', but .*/nothing does not exist"),
        ("llcm.csv", "found 'llcm.csv', which would get the name of a published data set; rename it"),
        ("lcm", "found 'lcm', expected one of .*did you mean 'llcm'"),
    ],
)
def test_an_impossible_path_is_refused(tmp_path, monkeypatch, dataset, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "llcm.csv", "")
    with pytest.raises(ConfigError, match=message):
        Config(dataset=dataset)


def test_numbers_stay_and_names_are_numbered_in_sorted_order(tmp_path):
    folders(tmp_path / "a", people=("0007", "12", "3", "40"))
    folders(tmp_path / "b", people=("7", "07", "x", "y"))
    assert set(open_dataset(str(tmp_path / "a")).records["identity"]) == {3, 7, 12, 40}
    records = open_dataset(str(tmp_path / "b")).records
    assert {path.split("/")[1]: who for path, who in zip(records["path"], records["identity"], strict=True)} == {
        "07": 1, "7": 2, "x": 3, "y": 4
    }  # fmt: skip


def test_half_of_the_people_are_drawn_by_the_trial(tmp_path):
    root = folders(tmp_path / "photos")
    write(root, "visible/zoe/1.jpg")  # no infrared image: nobody to learn from, but one more to confuse a query with
    drawn = [open_dataset(str(root), trial=trial) for trial in (1, 1, 2, 3)]
    for found in drawn:
        assert (len(people(found, "train")), len(people(found, "test"))) == (3, 4)
        assert not people(found, "train") & people(found, "test")
        assert 7 in people(found, "test")
    assert people(drawn[0], "train") == people(drawn[1], "train")
    assert len({frozenset(people(found, "train")) for found in drawn}) > 1


def test_people_who_share_a_group_stay_together(tmp_path):
    root = folders(tmp_path)
    group = {"ann": "x", "bob": "x", "cy": "y", "di": "y"}
    file = csv_of(root, lines_of(root, group=lambda who: group.get(who, "")), f"{COLUMNS},group")
    for trial in range(1, 11):
        train = people(open_dataset(str(file), trial=trial), "train")
        assert {1, 2} <= train or not {1, 2} & train
        assert {3, 4} <= train or not {3, 4} & train


@pytest.mark.parametrize("given", ["folders", "column"])
def test_a_given_split_is_kept(tmp_path, given):
    if given == "folders":
        folders(tmp_path, PEOPLE[:2], below="train")
        place = folders(tmp_path, PEOPLE[2:], below="test")
    else:
        folders(tmp_path)
        split = lines_of(tmp_path, split=lambda who: "training" if who in PEOPLE[:2] else "Test")
        place = csv_of(tmp_path, split, f"{COLUMNS},split")
    for trial in (1, 2):
        found = open_dataset(str(place), trial=trial)
        assert (people(found, "train"), people(found, "test")) == ({1, 2}, {3, 4, 5, 6})


def test_other_words_for_columns_and_modalities_are_understood(tmp_path):
    root = folders(tmp_path)
    lines = [line.replace(",visible", ",RGB").replace(",infrared", ",nir") for line in lines_of(root)]
    assert len(open_dataset(str(csv_of(root, lines, "File,PID,Modality"))).records) == 12


def test_a_byte_order_mark_empty_lines_quotes_and_absolute_paths_are_read(tmp_path):
    root = folders(tmp_path)
    lines = lines_of(root)
    lines[0] = f'"{root}/{lines[0].replace(",", chr(34) + ",", 1)}'
    assert len(open_dataset(str(csv_of(root, [*lines, "", ",,"], "\ufeff" + COLUMNS))).records) == 12


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("path;id;modality", "my.csv: columns are separated by semicolons — save it with commas"),
        ("path\tid\tmodality", "separated by tabs"),
        ("path,id,kind", "found the columns 'path, id, kind', but no modality"),
        ("name,who,modality", "(?s)but no path.*but no id"),
        ("path,file,id,modality", "two of them path"),
        ("", "found the columns ''"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(tmp_path, header, message):
    with pytest.raises(DatasetError, match=message):
        open_dataset(str(csv_of(tmp_path, ["a,b,c"], header)))


def test_everything_wrong_with_a_table_is_said_at_once(tmp_path):
    root = folders(tmp_path / "photos")
    lines = [
        *lines_of(root, split=lambda who: "train" if who < "d" else "test"),
        "visible/ann/2.jpg,ann,visible,train",
        "visible/ann/1.jpg,ann,visible,train",
        "../secret.jpg,ann,visible,train",
        "visible/bob/1.jpg,bob,ultraviolet,train",
        "visible/cy/1.jpg,cy,visible,practice",
        "visible/cy/1.jpg,cy",
    ]
    write(root, "visible/ann/3.jpg")
    write(root, "visible/ann/4.jpg")
    lines += ["visible/ann/3.jpg,ann,visible,test", "visible/ann/4.jpg,,visible,test"]
    with pytest.raises(DatasetError) as caught:
        open_dataset(str(csv_of(root, lines, f"{COLUMNS},split")))
    for told in (
        "my.csv:14: 'visible/ann/2.jpg' does not exist",
        "my.csv:15: 'visible/ann/1.jpg' is already in line",
        "my.csv:16: '../secret.jpg' is outside",
        "my.csv:17: modality 'ultraviolet' — write visible or infrared",
        "my.csv:18: split 'practice' — write train, val or test",
        "my.csv:19: has 2 values for 4 columns",
        "my.csv:21: 1 image without an id — evaluation needs to know who is who",
        "people with training and test images: 1, such as 'ann'",
    ):
        assert told in str(caught.value)


@pytest.mark.parametrize("column", ["split", "camera"])
def test_a_column_that_is_only_partly_filled_is_a_problem(tmp_path, column):
    root = folders(tmp_path)
    value = {"split": "train", "camera": "c"}[column]
    lines = lines_of(root, **{column: lambda who: "" if who == "ed" else value})
    with pytest.raises(DatasetError, match=f"2 of 12 images have no {column}, such as 'infrared/ed/1.jpg' — give every image"):
        open_dataset(str(csv_of(root, lines, f"{COLUMNS},{column}")))


def test_too_few_people_and_one_modality_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="3 people have images in both modalities — at least 4 are needed"):
        open_dataset(str(folders(tmp_path / "few", PEOPLE[:3])))
    root = folders(tmp_path / "one")
    lines = [line for line in lines_of(root) if line.endswith(",visible")]
    with pytest.raises(DatasetError, match="0 people have images in both modalities"):
        open_dataset(str(csv_of(root, lines)))


def test_a_folder_without_modalities_says_what_is_expected(tmp_path):
    write(tmp_path, "photos/ann/1.jpg")
    with pytest.raises(DatasetError, match=r"found ann — expected visible/<id>/ and infrared/<id>/"):
        open_dataset(str(tmp_path / "photos"))


def test_a_million_lines_are_refused_before_any_image_is_looked_for(tmp_path):
    file = csv_of(tmp_path, ["nowhere/a.jpg,a,visible"] * 1_000_000)
    with pytest.raises(DatasetError, match=r"has 1,000,000 lines, at most 500,000 can be used") as caught:
        open_dataset(str(file))
    assert len(caught.value.problems) == 1
