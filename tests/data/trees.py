"""Tiny data sets in each layout, built file by file. The helpers return the root, for tests to break."""

import io
from pathlib import Path

from PIL import Image


def image_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 4), (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()


JPEG, BMP = image_bytes("JPEG"), image_bytes("BMP")


def write(root: Path, path: str, content: bytes | str | None = None) -> Path:
    """A file below root: text, bytes, or an image of the kind its name says."""
    if content is None:
        content = BMP if path.lower().endswith(".bmp") else JPEG
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def sysu_tree(root: Path, train=(2, 10), val=(5,), test=(1, 7), cameras=(1, 2, 3, 4, 5, 6), images=2) -> Path:
    for split, identities in (("train", train), ("val", val), ("test", test)):
        write(root, f"exp/{split}_id.txt", ",".join(map(str, identities)) + "\n")
        for identity in identities:
            for camera in cameras:
                for number in range(1, images + 1):
                    write(root, f"cam{camera}/{identity:04d}/{number:04d}.jpg")
    return root


def regdb_tree(root: Path, trial=1, people=2, images=2) -> Path:
    for split, first in (("train", 0), ("test", people)):
        for name in ("visible", "thermal"):
            lines = []
            for label in range(people):
                for number in range(images):
                    path = f"{name.title()}/{first + label + 1}/{name[0]}_{number}.bmp"
                    write(root, path)
                    lines.append(f"{path} {label}")
            write(root, f"idx/{split}_{name}_{trial}.txt", "\n".join(lines) + "\n")
    return root


def llcm_tree(root: Path, train=(3, 351), test=(4, 20), visible=(1, 3, 9), infrared=(1, 9), images=2) -> Path:
    for name, cameras in (("vis", visible), ("nir", infrared)):
        lines = []
        for identity in train:
            for camera in cameras:
                path = f"{name}/{identity:04d}/{identity:04d}_c{camera:02d}_s200656_f4830_{name}.jpg"
                write(root, path)
                lines.append(f"{path} {identity}")
        write(root, f"idx/train_{name}.txt", "\n".join(lines) + "\n")
        for identity in test:
            for camera in cameras:
                for number in range(images):
                    write(root, f"test_{name}/cam{camera}/{identity:04d}/{identity:04d}_{number}.jpg")
    write(root, "idx/test_id.txt", ",".join(map(str, test)))
    return root


TREES = {"sysu": sysu_tree, "regdb": regdb_tree, "llcm": llcm_tree}


def append(root: Path, path: str, text: str) -> int:
    """Adds a line to an index file and returns its number."""
    file = root / path
    file.write_text(file.read_text() + text + "\n", encoding="utf-8")
    return len(file.read_text(encoding="utf-8").splitlines())
