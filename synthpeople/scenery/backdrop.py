"""The background of one camera, the same place for all modalities and people."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from synthpeople.place import Place
from synthpeople.randomness import SCENE, stream
from synthpeople.scenery.indoors import corridor, hall
from synthpeople.scenery.outdoors import park, street, yard
from synthpeople.scenery.perspective import OVER, View
from synthpeople.scenery.texture import noise

LAYOUTS = {"corridor": corridor, "hall": hall, "street": street, "park": park, "yard": yard}


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A panorama of a place, height · 5/4 by 4 · width of one image; each image shows a part of it."""

    base: np.ndarray  # uint8 (h, w, 3), read-only: the place in even light, before exposure and colour of light
    glow: np.ndarray  # uint8 (h, w, 3), read-only: light of lamps and lit windows, added after the rest is darkened
    horizon: int  # row where the ground begins: the foot of the wall across the picture, or the far end of open ground


@lru_cache(maxsize=18)  # the nine cameras of LLCM in both modalities
def backdrop(seed: int, number: int, modality: str, height: int, width: int, place: Place) -> Backdrop:
    """What camera `number` of the world `seed` sees in "visible", "infrared" or "thermal", for images of height × width."""
    rng = stream(SCENE, number, seed)
    view = View(place, modality, height, width, rng)
    LAYOUTS[place.kind](view, rng)
    size = width * 4, height * 5 // 4
    # lenses and demosaicing soften visible pictures a little; heat diffuses, and thermal lenses are coarse
    blur = view.height / OVER * (0.009 if modality == "thermal" else 0.002)
    image = view.image.reduce(OVER).filter(ImageFilter.GaussianBlur(blur))
    base, glow = _uneven(rng, np.asarray(image, np.float32), modality), np.array(view.glow())
    assert base.shape == glow.shape == (size[1], size[0], 3)
    base.flags.writeable = glow.flags.writeable = False
    return Backdrop(base, glow, round(view.project(0, 0, view.far)[1] / OVER))


def _uneven(rng: Generator, image: np.ndarray, modality: str) -> np.ndarray:
    """Adds the unevenness of light and sensor: float32 (h, w, 3) → uint8."""
    h, w, _ = image.shape
    cloud = np.asarray(noise(rng, 12, 10).resize((w, h), Image.Resampling.BICUBIC), np.float32) / 128 - 1
    if modality == "thermal":
        return np.clip(image + 7 * cloud[..., None], 0, 255).astype(np.uint8)
    if modality == "infrared":  # the camera's lamp lights the centre more than the edges
        y, x = np.linspace(-1, 1, h, dtype=np.float32)[:, None], np.linspace(-1, 1, w, dtype=np.float32)
        image = image * (1.06 - 0.16 * x * x - 0.14 * y * y)[..., None]
    return np.clip(image * (1 + 0.2 * cloud[..., None]), 0, 255).astype(np.uint8)
