"""Pictures in the forms that other programs have them in: paths, a folder, PIL images, arrays and tensors."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fsclib.config.strict import shown
from fsclib.data.layouts.folders import EXTENSIONS
from fsclib.data.pixels.decoding import decode, eight_bits, read

logger = logging.getLogger(__name__)

Picture = str | Path | Image.Image | np.ndarray | Tensor
Pictures = str | Path | Sequence[Picture]
FORMS = "expected a folder, or a list of paths, PIL images, or arrays or tensors of uint8 (H, W, 3)"
SHOWN = 20  # files that a warning names


def listed(pictures: Pictures) -> list[Picture]:
    """The pictures one by one; those of a folder and of the folders in it, sorted by path.

    Errors: ValueError that lists everything that is not a picture, before any file is read.
    """
    if isinstance(pictures, (str, Path)):
        place = Path(pictures).expanduser()
        if not place.is_dir():
            fix = "; put a single picture into a list" * place.is_file()
            raise ValueError(f"images: found {shown(str(pictures))}, {FORMS}{fix}")
        return _in_folder(place)
    if isinstance(pictures, Image.Image) or (isinstance(pictures, (np.ndarray, Tensor)) and pictures.ndim == 3):
        raise ValueError(f"images: found a single picture, {FORMS}; put it into a list")
    found = list(pictures)
    if problems := [f"picture {place}: {told}" for place, picture in enumerate(found) if (told := _problem(picture))]:
        raise ValueError("\n".join(problems))
    return found


def names_of(pictures: Sequence[Picture]) -> list[str]:
    """The path of each picture, or its number."""
    own = [picture if isinstance(picture, (str, Path)) else getattr(picture, "filename", "") for picture in pictures]
    return [str(name) or f"picture {number}" for number, name in enumerate(own)]


def pixels_of(picture: Picture, height: int, width: int) -> NDArray[np.uint8]:
    """A picture decoded and resized with Lanczos: (height, width, 3). ValueError for a file that cannot be used."""
    if isinstance(picture, (str, Path)):
        data, told = read(str(picture))
        if told.reason:
            raise ValueError(told.reason)
        return np.frombuffer(decode(data, height, width), np.uint8).reshape(height, width, 3)
    if isinstance(picture, Tensor):
        picture = picture.numpy(force=True)
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    try:
        rgb = eight_bits(picture).convert("RGB")
    except OSError as error:  # a PIL image reads its file when it is first used
        raise ValueError(f"cannot be decoded: {error}") from error
    return np.asarray(rgb if rgb.size == (width, height) else rgb.resize((width, height), Image.Resampling.LANCZOS))


def warn(broken: Sequence[tuple[str, str]]) -> None:
    """Logs which files could not be used, and why."""
    if broken:
        more = [f"… and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else []
        named = [f"{name}: {reason}" for name, reason in broken[:SHOWN]]
        logger.warning("\n  ".join([f"left out {len(broken)} picture{'s' * (len(broken) > 1)}:", *named, *more]))


def _in_folder(folder: Path) -> list[Picture]:
    files = sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names if not name.startswith("."))
    found: list[Picture] = [file for file in files if file.suffix.lower() in EXTENSIONS]
    if not found:
        raise ValueError(f"images: {folder} has no file that ends in {', '.join(EXTENSIONS)}; give a folder of images")
    warn([(str(file), f"does not end in {', '.join(EXTENSIONS)}") for file in files if file.suffix.lower() not in EXTENSIONS])
    return found


def _problem(picture: object) -> str:
    """What is wrong with the form of a picture, "" if nothing is."""
    if isinstance(picture, (np.ndarray, Tensor)):
        kind = str(picture.dtype).removeprefix("torch.")
        if kind != "uint8" or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            return f"found {kind} {tuple(picture.shape)}, {FORMS}"
        return ""
    return "" if isinstance(picture, (str, Path, Image.Image)) else f"found {shown(picture)}, {FORMS}"
