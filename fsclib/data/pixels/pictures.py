"""Pictures of people in the forms that users have them in, as pixels of one size. Needs only Pillow and NumPy."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from fsclib.config.strict import shown
from fsclib.data.pixels.decoding import decode, read

if TYPE_CHECKING:
    from torch import Tensor

Picture: TypeAlias = "str | Path | Image.Image | np.ndarray | Tensor"
FORMS = "expected paths, PIL images, or arrays or tensors of uint8 (H, W, 3)"


def pixels_of(pictures: Sequence[Picture], height: int, width: int) -> np.ndarray:
    """Decodes and resizes pictures: uint8 (N, height, width, 3), RGB.

    Errors: ValueError that lists every picture that cannot be used.
    """
    if isinstance(pictures, (str, Path, Image.Image)):
        raise ValueError(f"images: found a single picture, {FORMS}, in a list; put it into a list")
    found, problems = np.zeros((len(pictures), height, width, 3), np.uint8), []
    for place, picture in enumerate(pictures):
        try:
            found[place] = _resized(picture, height, width)
        except ValueError as error:
            problems.append(f"picture {place}: {error}")
    if problems:
        raise ValueError("\n".join(problems))
    return found


def _resized(picture: Picture, height: int, width: int) -> np.ndarray:
    if isinstance(picture, (str, Path)):
        data, told = read(str(picture))
        if told.reason:
            raise ValueError(f"{picture} {told.reason}")
        return np.frombuffer(decode(data, height, width), np.uint8).reshape(height, width, 3)
    if hasattr(picture, "numpy"):  # a tensor; torch is not imported to find out
        picture = picture.numpy(force=True)
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise ValueError(f"found {picture.dtype} {picture.shape}, {FORMS}")
        picture = Image.fromarray(picture)
    if not isinstance(picture, Image.Image):
        raise ValueError(f"found {shown(picture)}, {FORMS}")
    rgb = picture.convert("RGB")
    return np.asarray(rgb if rgb.size == (width, height) else rgb.resize((width, height), Image.Resampling.LANCZOS))
