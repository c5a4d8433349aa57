"""Small corpora for the tests of the corpus writer, and a fast stand-in for the renderer."""

from pathlib import Path
from zlib import crc32

import numpy as np

from synthpeople.drawing import PARTS, Drawn, difficulty_of
from synthpeople.generate import write_corpus

PEOPLE, SEED = 10, 5
SMALL = {"images": 2, "height": 64, "width": 24, "workers": 1, "progress": False}


def written(folder: Path, layout: str = "llcm", identities: int = PEOPLE, seed: int = SEED, **options) -> Path:
    write_corpus(folder, layout, identities, seed, **{**SMALL, **options})
    return folder


def photos(folder: Path, people: int) -> Path:
    """A folder with visible/<id>/ and infrared/<id>/, as somebody has it who has images of their own."""
    corpus = written(folder.with_name("corpus"), "regdb", people, 1, images=1)
    for modality, source in (("visible", "Visible"), ("infrared", "Thermal")):
        for file in sorted((corpus / source).rglob("*.bmp")):
            place = folder / modality / file.parent.name / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            file.rename(place)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def images(files: dict[str, bytes]) -> set[str]:
    return {path for path in files if path.endswith((".jpg", ".bmp"))}


def masks(files: dict[str, bytes]) -> set[str]:
    return {path for path in files if path.endswith(".png")}


def fake_draw(seed, identity, camera, modality, index, height, width, difficulty):
    """Stands in for the renderer: fast, with a different image for different arguments, and for each difficulty of a world."""
    level = crc32(repr(difficulty_of(difficulty, seed)).encode())
    key = seed, identity, camera, ("visible", "infrared", "thermal").index(modality), index, level
    rng = np.random.default_rng(key)
    parts = rng.integers(0, len(PARTS), (height, width), np.uint8)
    return Drawn(rng.integers(0, 256, (height, width, 3), np.uint8), parts, 20 + 10 * camera)


def numbers(text: bytes) -> list[int]:
    lines = text.decode().splitlines()
    assert len(lines) == 1
    return [int(word) for word in lines[0].split(",")]


def index(text: bytes) -> dict[str, int]:
    pairs = [line.split(" ") for line in text.decode().splitlines()]
    assert len({path for path, _ in pairs}) == len(pairs)
    return {path: int(label) for path, label in pairs}
