"""Helpers for tests of the pixel cache: folders of small images, expected pixels, and scripts run in new processes."""

import subprocess
import sys
import textwrap

import numpy as np
from PIL import Image

from fsclib.data.pixels.cache import open_cache

SIZE = (24, 10)


def write_images(folder, number, seed=0):
    source = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for index in range(number):
        height, width = (24, 10) if index % 3 == 0 else source.integers(6, 40, 2)
        image = Image.fromarray(source.integers(0, 256, (height, width, 3), dtype=np.uint8))
        mode, suffix = [("RGB", "png"), ("L", "jpg"), ("P", "png"), ("RGBA", "png"), ("RGB", "bmp")][index % 5]
        image.convert(mode).save(folder / f"{index:03d}.{suffix}")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def build(root, paths=None, folder=None, **options):
    paths = names(root) if paths is None else paths
    return open_cache(root, paths, SIZE, folder or root.parent / "cache", progress=False, **options)


def expected(root, paths):
    """The pixels that the published programs read: Pillow, RGB, Lanczos."""
    images = [Image.open(root / path).convert("RGB") for path in paths]
    return np.stack([np.asarray(image.resize(SIZE[::-1], Image.Resampling.LANCZOS)) for image in images])


def files(root, *suffixes):
    found = [path.name for path in (root.parent / "cache").iterdir() if path.suffix != ".lock"]
    return sorted(name for name in found if not suffixes or name.endswith(suffixes))


def run(script, *arguments, expect=0):
    """Output of a script given on standard input, so that its main module has no file, as in a notebook.

    Returns once every process that holds its standard output or error has ended, its children included.
    """
    result = subprocess.run(
        [sys.executable, "-", *map(str, arguments)],
        input=textwrap.dedent(script),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == expect, result.stderr
    return result.stdout
