"""Corruptions of index files: lines, lists of people, and files as a whole."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from entering import Entries, Spoil
from spoiling import Corpus

from fsclib.data.records import MISSING_INDEX, NO_MATCH, NO_TEST, NO_TRAINING

INDEXES = Entries()
LINES, LISTS = ("regdb", "llcm"), ("sysu", "llcm")  # layouts that list images, and people

# --- lines of an index file -------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[bytes, str]] = {
    "line without a label": (b"some/image.jpg", "no label"),
    "line with commas": (b"some/image.jpg,3", "no label"),
    "label that is a word": (b"some/image.jpg seven", "bad label"),
    "label with a fraction": (b"some/image.jpg 3.0", "bad label"),
    "negative label": (b"some/image.jpg -3", "bad label"),
    "label of twenty digits": (b"some/image.jpg 99999999999999999999", "bad label"),
    "label in other digits": ("some/image.jpg ３".encode(), "bad label"),
    "comment": (b"# from the second disk", "bad label"),
    "line that is not UTF-8": (b"some/caf\xe9.jpg 3", "unreadable line"),
    "line with zeros": (b"some/im\0\0ge.jpg 3", "unreadable line"),
    "line of an image that never was": (b"some/image.jpg 3", "missing image"),
    "path of 5000 letters": (b"x" * 5000 + b".jpg 3", "missing image"),
    "line of a folder": (b"idx 3", "missing image"),
    "line of no image": (b"corpus.json 3", "broken image"),
    "path to the folder above": (b"../outside.jpg 3", "unsafe path"),
    "path that leaves by a detour": (b"idx/../../outside.jpg 3", "unsafe path"),
    "path from the root": (b"/etc/hostname 3", "unsafe path"),
    "path on a drive": (rb"C:\images\a.jpg 3", "unsafe path"),
    "path on a server": (rb"\\server\images\a.jpg 3", "unsafe path"),
}


def _line(text: bytes, kind: str) -> Spoil:
    def spoil(corpus: Corpus) -> None:
        line = corpus.append(corpus.index, text)
        corpus.report(kind, *(("corpus.json", None) if kind == "broken image" else (corpus.index, line)))

    return spoil


for _name, _how in WRONG.items():
    INDEXES.enter(_name, *LINES)(_line(*_how))


@INDEXES.enter("line written twice", *LINES)
def _twice(corpus):
    path = corpus.image(listed=True)
    index, _ = corpus.at(path)
    corpus.problems.append(("listed twice", index, corpus.append(index, f"./{path} {corpus.identity(path)}".encode())))


@INDEXES.enter("one image with two labels", *LINES)
def _two_labels(corpus):
    path = corpus.image(listed=True)
    index, _ = corpus.at(path)
    corpus.gone.add(path)
    corpus.report("contradiction", index, corpus.append(index, f"{path} {corpus.identity(path) + 1}".encode()))


@INDEXES.enter("one image in two modalities", *LINES)
def _two_modalities(corpus):
    path = corpus.image(listed=True)
    first = corpus.at(path)
    index = next(index for index in corpus.indexes[:2] if index != first[0])
    second = index, corpus.append(index, f"{path} {corpus.identity(path)}".encode())
    corpus.gone.add(path)
    later = max(first, second, key=lambda place: corpus.indexes.index(place[0]))  # in the order of reading
    corpus.report("contradiction", *later)


@INDEXES.enter("missing line", *LINES)
def _unlisted(corpus):
    corpus.remove([corpus.image(listed=True)])


# --- whole index files ------------------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "Windows line ends": lambda text: text.replace(b"\n", b"\r\n"),
    "line ends of old Macs": lambda text: text.replace(b"\n", b"\r"),
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "no line end at the end": lambda text: text.rstrip(b"\n"),
    "trailing blanks": lambda text: text.replace(b"\n", b" \t \n"),
    "blank lines": lambda text: b"\n \n" + text.replace(b"\n", b"\n\n"),
}
FORMS_OF_LINES: dict[str, Callable[[bytes], bytes]] = {
    "tabs": lambda text: re.sub(rb" (\d+)$", rb"\t\1", text, flags=re.MULTILINE),
    "aligned columns": lambda text: re.sub(rb" (\d+)$", rb"      \1", text, flags=re.MULTILINE),
    "backslashes": lambda text: text.replace(b"/", b"\\"),
    "paths from the folder itself": lambda text: re.sub(rb"^(?=.)", b"./", text, flags=re.MULTILINE),
    "doubled slashes": lambda text: text.replace(b"/", b"//"),
    "labels with zeros in front": lambda text: re.sub(rb" (\d+)$", rb" 00\1", text, flags=re.MULTILINE),
}
FORMS_OF_LISTS: dict[str, Callable[[bytes], bytes]] = {
    "a person a line": lambda text: text.replace(b",", b"\n"),
    "comma at the end": lambda text: text.replace(b"\n", b",\n"),
    "blanks after commas": lambda text: text.replace(b",", b", "),
    "zeros in front": lambda text: re.sub(rb"(\d+)", rb"00\1", text),
}


def _rewritten(change: Callable[[bytes], bytes], lines: bool = True, lists: bool = True) -> Spoil:
    def spoil(corpus: Corpus) -> None:
        for index in [*(corpus.indexes if lines else []), *(corpus.lists if lists else [])]:
            corpus.write(index, change((corpus.root / index).read_bytes()))

    return spoil


for _name, _form in FORMS.items():
    INDEXES.enter(f"index files: {_name}", alone=True)(_rewritten(_form))
for _name, _form in FORMS_OF_LINES.items():
    INDEXES.enter(f"index files: {_name}", *LINES, alone=True)(_rewritten(_form, lists=False))
for _name, _form in FORMS_OF_LISTS.items():
    INDEXES.enter(f"lists of people: {_name}", *LISTS, alone=True)(_rewritten(_form, lines=False))


@INDEXES.enter("labels that are not consecutive", *LINES, alone=True)
def _gaps(corpus):
    corpus.relabel = lambda identity: 10 * identity + 7
    for index in corpus.indexes[:2]:
        lines = (line.rsplit(None, 1) for line in (corpus.root / index).read_bytes().splitlines())
        corpus.write(index, b"".join(b"%s %d\n" % (path, corpus.relabel(int(label))) for path, label in lines))


@INDEXES.enter("labels that differ between the modalities", *LINES, alone=True)
def _no_agreement(corpus):
    index = corpus.indexes[1]
    lines = (line.rsplit(None, 1) for line in (corpus.root / index).read_bytes().splitlines())
    corpus.write(index, b"".join(b"%s %d\n" % (path, int(label) + 1000) for path, label in lines))
    training = corpus.sound.records[corpus.sound.records["split"] == "train"]
    for _, rows in training.groupby(["identity", "modality"]):
        corpus.report("one modality only", rows["path"].iloc[0].rpartition("/")[0])
    corpus.report_nothing(NO_TRAINING, 2)


@INDEXES.enter("test labels that differ between the modalities", "regdb", alone=True)
def _no_match(corpus):
    index = "idx/test_thermal_1.txt"
    lines = (line.rsplit(None, 1) for line in (corpus.root / index).read_bytes().splitlines())
    corpus.write(index, b"".join(b"%s %d\n" % (path, int(label) + 1000) for path, label in lines))
    corpus.report_nothing(NO_MATCH)


def _without_content(content: bytes, kind: str) -> Spoil:
    """An index file that lists nothing, and what follows from that."""

    def spoil(corpus: Corpus) -> None:
        split, _ = corpus.place
        corpus.write(corpus.index, content)
        corpus.report(kind, corpus.index)
        if corpus.layout == "sysu":
            corpus.gone.update(corpus.sound.records.loc[corpus.sound.records["split"] == split, "path"])
            if split == "test":
                corpus.report_nothing(NO_TEST, 2)
        else:
            training = corpus.index in corpus.indexes[:2]
            corpus.report_nothing(NO_TRAINING if training else NO_TEST)

    return spoil


INDEXES.enter("index file without a byte", alone=True)(_without_content(b"", "empty index file"))
INDEXES.enter("index file of blank lines", alone=True)(_without_content(b"\n \r\n", "empty index file"))
INDEXES.enter("index file of zeros", alone=True)(_without_content(bytes(3000), "unreadable line"))
INDEXES.enter("index file in UTF-16", alone=True)(_without_content("cam1/0001/0001.jpg 3\n".encode("utf-16"), "unreadable line"))
INDEXES.enter("index file in UTF-16 without its mark", alone=True)(
    _without_content("cam1/0001/0001.jpg 3\n".encode("utf-16-le"), "unreadable line")
)


def _index_instead(make: Callable[[Path], object]) -> Spoil:
    def spoil(corpus: Corpus) -> None:
        (corpus.root / corpus.index).unlink()
        make(corpus.root / corpus.index)
        corpus.report(MISSING_INDEX, corpus.index)

    return spoil


INDEXES.enter("index file that is not there", alone=True)(_index_instead(lambda file: None))
INDEXES.enter("folder in place of an index file", alone=True)(_index_instead(lambda file: file.mkdir()))
INDEXES.enter("pipe in place of an index file", alone=True)(_index_instead(os.mkfifo))
INDEXES.enter("index file that links to itself", alone=True)(_index_instead(lambda file: file.symlink_to(file.name)))

# --- lists of people --------------------------------------------------------------------------------------------------

ENTRIES: dict[str, tuple[bytes, list[str]]] = {
    "identity that is a word": (b",x7", ["bad identity"]),
    "negative identity": (b",-7", ["bad identity"]),
    "identity with a fraction": (b",7.5", ["bad identity"]),
    "identity of twenty digits": (b",99999999999999999999", ["bad identity"]),
    "comment in a list of people": (b"# new", ["bad identity", "bad identity"]),
    "person without images": (b",7777", ["missing identity"]),
    "people that are not UTF-8": (b"caf\xe9", ["unreadable line"]),
}


def _entry(text: bytes, kinds: list[str]) -> Spoil:
    def spoil(corpus: Corpus) -> None:
        line = corpus.append(corpus.people_list, text)
        for kind in kinds:
            corpus.report(kind, corpus.people_list, line)

    return spoil


for _name, _how in ENTRIES.items():
    INDEXES.enter(_name, *LISTS)(_entry(*_how))


@INDEXES.enter("person listed twice", *LISTS)
def _person_twice(corpus):
    first = re.match(rb"\d+", (corpus.root / corpus.people_list).read_bytes())[0]
    corpus.report("listed twice", corpus.people_list, corpus.append(corpus.people_list, b"," + first))


@INDEXES.enter("person in two splits", "sysu")
def _two_splits(corpus):
    first = re.match(rb"\d+", (corpus.root / "exp/train_id.txt").read_bytes())[0]
    corpus.report("contradiction", "exp/test_id.txt", corpus.append("exp/test_id.txt", b"," + first))


@INDEXES.enter("person missing from the list", *LISTS, alone=True)
def _person_unlisted(corpus):
    first, _, rest = (corpus.root / corpus.people_list).read_bytes().partition(b",")
    corpus.write(corpus.people_list, rest)
    records = corpus.sound.records
    split = "test" if corpus.layout == "llcm" else corpus.place[0]
    corpus.gone.update(records.loc[(records["split"] == split) & (records["identity"] == int(first)), "path"])
