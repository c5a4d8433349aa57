"""Corruptions of index files: single lines, whole files, and lists of people."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from entering import Apply, Registry
from spoiling import Corpus

from fsclib.data.records import MISSING_INDEX, NO_MATCH, NO_TEST, NO_TRAINING

INDEXES = Registry()
LINES, LISTS = ("regdb", "llcm"), ("sysu", "llcm")  # layouts with lists of images, and of people

# --- lines of an index file -------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[bytes, str]] = {
    "line without a label": (b"some/image.jpg", "no label"),
    "line with commas": (b"some/image.jpg,3", "no label"),
    "label that is a word": (b"some/image.jpg seven", "bad label"),
    "label with a fraction": (b"some/image.jpg 3.0", "bad label"),
    "negative label": (b"some/image.jpg -3", "bad label"),
    "label of twenty digits": (b"some/image.jpg 99999999999999999999", "bad label"),
    "label in full-width digits": ("some/image.jpg ３".encode(), "bad label"),
    "comment": (b"# from the second disk", "bad label"),
    "line that is not UTF-8": (b"some/caf\xe9.jpg 3", "unreadable line"),
    "line with zeros": (b"some/im\0\0ge.jpg 3", "unreadable line"),
    "line of a missing image": (b"some/image.jpg 3", "missing image"),
    "path of 5000 characters": (b"x" * 5000 + b".jpg 3", "missing image"),
    "line of a folder": (b"idx 3", "missing image"),
    "line of a file that is no image": (b"corpus.json 3", "broken image"),
    "path to the parent folder": (b"../outside.jpg 3", "unsafe path"),
    "path that leaves by a detour": (b"idx/../../outside.jpg 3", "unsafe path"),
    "absolute path": (b"/etc/hostname 3", "unsafe path"),
    "path on a drive": (rb"C:\images\a.jpg 3", "unsafe path"),
    "path on a server": (rb"\\server\images\a.jpg 3", "unsafe path"),
}


def _line(text: bytes, kind: str) -> Apply:
    def apply(corpus: Corpus) -> None:
        line = corpus.append(corpus.index, text)
        corpus.report(kind, *(("corpus.json", None) if kind == "broken image" else (corpus.index, line)))

    return apply


for _name, _how in WRONG.items():
    INDEXES.register(_name, *LINES)(_line(*_how))


@INDEXES.register("line written twice", *LINES)
def _twice(corpus):
    path = corpus.image(listed=True)
    index, _ = corpus.at(path)
    corpus.problems.append(("listed twice", index, corpus.append(index, f"./{path} {corpus.identity(path)}".encode())))


@INDEXES.register("one image with two labels", *LINES)
def _two_labels(corpus):
    path = corpus.image(listed=True)
    index, _ = corpus.at(path)
    corpus.gone.add(path)
    corpus.report("contradiction", index, corpus.append(index, f"{path} {corpus.identity(path) + 1}".encode()))


@INDEXES.register("one image in two modalities", *LINES)
def _two_modalities(corpus):
    path = corpus.image(listed=True)
    first = corpus.at(path)
    index = next(index for index in corpus.indexes[:2] if index != first[0])
    second = index, corpus.append(index, f"{path} {corpus.identity(path)}".encode())
    corpus.gone.add(path)
    later = max(first, second, key=lambda place: corpus.indexes.index(place[0]))  # in the order of reading
    corpus.report("contradiction", *later)


@INDEXES.register("missing line", *LINES)
def _unlisted(corpus):
    corpus.remove([corpus.image(listed=True)])


# --- whole index files ------------------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "Windows line endings": lambda text: text.replace(b"\n", b"\r\n"),
    "line endings of old Macs": lambda text: text.replace(b"\n", b"\r"),
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "no newline at the end": lambda text: text.rstrip(b"\n"),
    "trailing spaces and tabs": lambda text: text.replace(b"\n", b" \t \n"),
    "blank lines": lambda text: b"\n \n" + text.replace(b"\n", b"\n\n"),
}
FORMS_OF_LINES: dict[str, Callable[[bytes], bytes]] = {
    "tabs": lambda text: re.sub(rb" (\d+)$", rb"\t\1", text, flags=re.MULTILINE),
    "aligned columns": lambda text: re.sub(rb" (\d+)$", rb"      \1", text, flags=re.MULTILINE),
    "backslashes": lambda text: text.replace(b"/", b"\\"),
    "paths that begin with ./": lambda text: re.sub(rb"^(?=.)", b"./", text, flags=re.MULTILINE),
    "doubled slashes": lambda text: text.replace(b"/", b"//"),
    "labels with leading zeros": lambda text: re.sub(rb" (\d+)$", rb" 00\1", text, flags=re.MULTILINE),
}
FORMS_OF_LISTS: dict[str, Callable[[bytes], bytes]] = {
    "one person per line": lambda text: text.replace(b",", b"\n"),
    "comma at the end": lambda text: text.replace(b"\n", b",\n"),
    "spaces after commas": lambda text: text.replace(b",", b", "),
    "leading zeros": lambda text: re.sub(rb"(\d+)", rb"00\1", text),
}


def _rewritten(change: Callable[[bytes], bytes], lines: bool = True, lists: bool = True) -> Apply:
    def apply(corpus: Corpus) -> None:
        for index in [*(corpus.indexes if lines else []), *(corpus.lists if lists else [])]:
            corpus.write(index, change((corpus.root / index).read_bytes()))

    return apply


for _name, _form in FORMS.items():
    INDEXES.register(f"index files: {_name}", alone=True)(_rewritten(_form))
for _name, _form in FORMS_OF_LINES.items():
    INDEXES.register(f"index files: {_name}", *LINES, alone=True)(_rewritten(_form, lists=False))
for _name, _form in FORMS_OF_LISTS.items():
    INDEXES.register(f"lists of people: {_name}", *LISTS, alone=True)(_rewritten(_form, lines=False))


@INDEXES.register("labels that are not consecutive", *LINES, alone=True)
def _gaps(corpus):
    corpus.relabel = lambda identity: 10 * identity + 7
    for index in corpus.indexes[:2]:
        lines = (line.rsplit(None, 1) for line in (corpus.root / index).read_bytes().splitlines())
        corpus.write(index, b"".join(b"%s %d\n" % (path, corpus.relabel(int(label))) for path, label in lines))


@INDEXES.register("labels that differ between the modalities", *LINES, alone=True)
def _no_agreement(corpus):
    index = corpus.indexes[1]
    lines = (line.rsplit(None, 1) for line in (corpus.root / index).read_bytes().splitlines())
    corpus.write(index, b"".join(b"%s %d\n" % (path, int(label) + 1000) for path, label in lines))
    training = corpus.intact.records[corpus.intact.records["split"] == "train"]
    for _, rows in training.groupby(["identity", "modality"]):
        corpus.report("one modality only", rows["path"].iloc[0].rpartition("/")[0])
    corpus.report_empty(NO_TRAINING, 2)


@INDEXES.register("test labels that differ between the modalities", "regdb", alone=True)
def _no_match(corpus):
    index = "idx/test_thermal_1.txt"
    lines = (line.rsplit(None, 1) for line in (corpus.root / index).read_bytes().splitlines())
    corpus.write(index, b"".join(b"%s %d\n" % (path, int(label) + 1000) for path, label in lines))
    corpus.report_empty(NO_MATCH)


def _without_content(content: bytes, kind: str) -> Apply:
    """An index file that lists nothing, and the problems that follow."""

    def apply(corpus: Corpus) -> None:
        split, _ = corpus.place
        corpus.write(corpus.index, content)
        corpus.report(kind, corpus.index)
        if corpus.layout == "sysu":
            corpus.gone.update(corpus.intact.records.loc[corpus.intact.records["split"] == split, "path"])
            if split == "test":
                corpus.report_empty(NO_TEST, 2)
        else:
            training = corpus.index in corpus.indexes[:2]
            corpus.report_empty(NO_TRAINING if training else NO_TEST)

    return apply


INDEXES.register("empty index file", alone=True)(_without_content(b"", "empty index file"))
INDEXES.register("index file of blank lines", alone=True)(_without_content(b"\n \r\n", "empty index file"))
INDEXES.register("index file of zeros", alone=True)(_without_content(bytes(3000), "unreadable line"))
INDEXES.register("index file in UTF-16", alone=True)(_without_content("cam1/0001/0001.jpg 3\n".encode("utf-16"), "unreadable line"))
INDEXES.register("index file in UTF-16 without a byte order mark", alone=True)(
    _without_content("cam1/0001/0001.jpg 3\n".encode("utf-16-le"), "unreadable line")
)


def _index_replaced_by(make: Callable[[Path], object]) -> Apply:
    def apply(corpus: Corpus) -> None:
        (corpus.root / corpus.index).unlink()
        make(corpus.root / corpus.index)
        corpus.report(MISSING_INDEX, corpus.index)

    return apply


INDEXES.register("missing index file", alone=True)(_index_replaced_by(lambda file: None))
INDEXES.register("folder in place of an index file", alone=True)(_index_replaced_by(lambda file: file.mkdir()))
INDEXES.register("pipe in place of an index file", alone=True)(_index_replaced_by(os.mkfifo))
INDEXES.register("index file that links to itself", alone=True)(_index_replaced_by(lambda file: file.symlink_to(file.name)))

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


def _entry(text: bytes, kinds: list[str]) -> Apply:
    def apply(corpus: Corpus) -> None:
        line = corpus.append(corpus.people_list, text)
        for kind in kinds:
            corpus.report(kind, corpus.people_list, line)

    return apply


for _name, _how in ENTRIES.items():
    INDEXES.register(_name, *LISTS)(_entry(*_how))


@INDEXES.register("person listed twice", *LISTS)
def _person_twice(corpus):
    first = re.match(rb"\d+", (corpus.root / corpus.people_list).read_bytes())[0]
    corpus.report("listed twice", corpus.people_list, corpus.append(corpus.people_list, b"," + first))


@INDEXES.register("person in two splits", "sysu")
def _two_splits(corpus):
    first = re.match(rb"\d+", (corpus.root / "exp/train_id.txt").read_bytes())[0]
    corpus.report("contradiction", "exp/test_id.txt", corpus.append("exp/test_id.txt", b"," + first))


@INDEXES.register("person missing from the list", *LISTS, alone=True)
def _person_unlisted(corpus):
    first, _, rest = (corpus.root / corpus.people_list).read_bytes().partition(b",")
    corpus.write(corpus.people_list, rest)
    records = corpus.intact.records
    split = "test" if corpus.layout == "llcm" else corpus.place[0]
    corpus.gone.update(records.loc[(records["split"] == split) & (records["identity"] == int(first)), "path"])
