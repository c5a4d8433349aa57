"""Pictures in the forms that other programs have them in: paths, a folder, PIL images, arrays and tensors. Needs no torch."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fsclib.config.strict import shown
from fsclib.data.pixels.decoding import EXTENSIONS, decode, eight_bits, read
from fsclib.system.paths import is_hidden

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

Picture: TypeAlias = "str | Path | Image.Image | np.ndarray | Tensor"
Pictures: TypeAlias = "str | Path | Sequence[Picture]"
FORMS = "expected a folder, or a list of paths, PIL images, or arrays or tensors of uint8 (H, W, 3)"
SHOWN = 20  # files that a warning names


def listed(pictures: Pictures) -> list[Picture]:
    """The pictures one by one; those of a folder and of the folders in it, sorted by path.

    Errors: ValueError that lists everything that is not a picture, before any file is read.
    """
    if isinstance(pictures, (str, Path)):
        place = Path(pictures).expanduser()
        if not str(pictures).strip() or not place.is_dir():  # "" would be the working directory
            fix = "; put a single picture into a list" * place.is_file()
            raise ValueError(f"images: found {shown(str(pictures))}, {FORMS}{fix}")
        return _in_folder(place)
    if isinstance(pictures, Image.Image) or (_is_array(pictures) and getattr(pictures, "ndim", 0) == 3):
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
    if _is_array(picture):
        plain: Any = picture
        picture = Image.fromarray(plain.numpy(force=True) if hasattr(plain, "detach") else plain)
    assert isinstance(picture, Image.Image)  # as `listed` has made sure
    try:
        rgb = eight_bits(picture).convert("RGB")
    except OSError as error:  # a PIL image reads its file when it is first used
        raise ValueError(f"cannot be decoded: {error}") from error
    return np.asarray(rgb if rgb.size == (width, height) else rgb.resize((width, height), Image.Resampling.LANCZOS))


def all_pixels(pictures: Pictures, height: int, width: int) -> NDArray[np.uint8]:
    """All pictures decoded and resized: (N, height, width, 3). ValueError that lists every picture that cannot be used."""
    chosen, problems = listed(pictures), []
    found = np.zeros((len(chosen), height, width, 3), np.uint8)
    for place, (picture, name) in enumerate(zip(chosen, names_of(chosen), strict=True)):
        try:
            found[place] = pixels_of(picture, height, width)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ValueError("\n".join(problems))
    return found


def warn(broken: Sequence[tuple[str, str]]) -> None:
    """Logs which files could not be used, and why."""
    if broken:
        more = [f"… and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else []
        named = [f"{name}: {reason}" for name, reason in broken[:SHOWN]]
        logger.warning("\n  ".join([f"left out {len(broken)} picture{'s' * (len(broken) > 1)}:", *named, *more]))


def _in_folder(folder: Path) -> list[Picture]:
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        files += [Path(place, name) for name in names if not is_hidden(name)]
    files.sort()
    found: list[Picture] = [file for file in files if file.suffix.lower() in EXTENSIONS]
    if not found:
        raise ValueError(f"images: {folder} has no file that ends in {', '.join(EXTENSIONS)}; give a folder of images")
    warn([(str(file), f"does not end in {', '.join(EXTENSIONS)}") for file in files if file.suffix.lower() not in EXTENSIONS])
    return found


def _is_array(picture: object) -> bool:
    """Whether it is an array or a tensor; torch is not imported to find out."""
    return isinstance(picture, np.ndarray) or (hasattr(picture, "detach") and hasattr(picture, "ndim"))


def _problem(picture: Any) -> str:
    """What is wrong with the form of a picture, "" if nothing is."""
    if _is_array(picture):
        kind = str(picture.dtype).removeprefix("torch.")
        if kind != "uint8" or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            return f"found {kind} {tuple(picture.shape)}, {FORMS}"
        return ""
    return "" if isinstance(picture, (str, Path, Image.Image)) else f"found {shown(picture)}, {FORMS}"
