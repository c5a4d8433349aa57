"""Cleaning up, the library keeps the user's own files unless their names have exactly the form of its own."""

import random
from collections import Counter

import pytest
from odd_places import outcome
from tally import keep
from test_links import every_writer
from writers import decode, draw_corpus, draw_images, fill_index, prepare

from fsclib.system.storage import HOST, temporary_for
from synthpeople.rendering import whole

NAMES = [
    "codes-book.pdf", "codes-00000.safetensors.bak", "codes-0.safetensors", "lists-of-people.txt", "lists-00001.bin.old",
    "sizes-of-shoes.csv", "sizes-00002.safetensors~", "film.part", ".notes.part", "a.b.part", "a.12345678.part",
    f"a.1234567.{HOST}.part", f"a.12345678.{HOST}.part.txt", f"a.1234567g.{HOST}.part", f".12345678.{HOST}.part", ".x.jpg.99.part",
    "log.csv.part", "metrics.json.12345678.part",
]  # fmt: skip
OWN = b"my own"


@every_writer
def test_files_of_the_user_are_kept(writer, tmp_path):
    home, found, chance = tmp_path / "home", Counter(), random.Random(0)
    prepare(writer, home)
    writer.write(home)
    folders = [home, *(path for path in home.rglob("*") if path.is_dir())]
    made = [path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"]
    stems = {file.stem for file in made} & {file.name.split(".")[0] for file in home.rglob("cache/*.json")}
    own = [folder / name for folder in folders for name in (*NAMES, *(f"{stem}.my.npy" for stem in stems))]
    for file in own:
        file.write_bytes(OWN)
    for lost in [None, *chance.sample(made, min(4, len(made)))]:  # also after a file of the library was lost
        if lost is not None:
            lost.unlink(missing_ok=True)
        outcome(lambda: writer.write(home))
        gone = [file for file in own if not (file.exists() and file.read_bytes() == OWN)]
        if writer.name == "a run begun anew":  # the earlier run was moved aside with everything in it
            gone = [file for file in gone if not any(home.glob(f"llcm/mine.old-*/**/{file.name}"))]
        assert gone == [], lost
    found["kept"] += len(own)
    keep("files of the user", writer.name, found)


def test_leftovers_of_an_index_are_removed(tmp_path):
    fill_index(tmp_path)
    left = [tmp_path / "index" / name for name in (
        "codes-00000.safetensors", "codes-00003.safetensors", "lists-00001.bin", "sizes-00002.safetensors",
        f"lists-00003.bin.01234567.{HOST}.part", f"index.json.01234567.{HOST}.part",
    )]  # fmt: skip
    for file in left:
        file.write_bytes(b"half")
    fill_index(tmp_path)
    assert [file for file in left if file.exists()] == []


def test_leftovers_of_a_killed_decoding_are_removed(tmp_path):
    draw_images(tmp_path, 0)
    decode(tmp_path)
    (index,) = (tmp_path / "cache").glob("*.json")
    half = f"01234567.{HOST}.part"
    left = [index.with_name(f"{index.stem}.{end}") for end in ("0123abcd.npy", f"0123abcd.npy.{half}", f"json.{half}")]
    own = [index.with_name(f"{index.stem}.{end}") for end in ("json.bak", "npy", "0123abcd.npy.gz", "notes.txt")]
    for file in (*left, *own):
        file.write_bytes(b"x")
    decode(tmp_path)
    assert [file.exists() for file in (*left, *own)] == [False] * len(left) + [True] * len(own)


def test_leftovers_of_a_killed_drawing_are_removed(tmp_path):
    draw_corpus(tmp_path)
    image = min((tmp_path / "corpus").rglob("*.jpg"))
    left = [image.with_name(f".{image.name}.{token}.part") for token in ("4711", "0123abcd")]
    own = image.with_name(".another.jpg.4711.part")
    for file in (*left, own):
        file.write_bytes(b"x")
    draw_corpus(tmp_path)
    assert [file.exists() for file in (*left, own)] == [False, False, True]


@pytest.mark.parametrize("name", NAMES)
def test_similar_names_are_not_taken_for_temporary_files(name):
    assert temporary_for(name) == ""


def test_names_of_temporary_files_are_recognised():
    assert temporary_for(f"a.csv.0123abcd.{HOST}.part") == "a.csv"
    assert whole("vis/0001/.a.jpg.0123abcd.part") == "vis/0001/a.jpg"
    assert whole(".a.jpg.17.part") == "a.jpg"
    assert whole("vis/0001/a.jpg.17.part") == whole(".a.jpg.part") == whole(".a.jpg.17.part.txt") == ""
