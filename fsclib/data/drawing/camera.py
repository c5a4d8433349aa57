"""A camera's light, viewpoint and faults, drawn from (seed, camera) and the same for everyone who passes.

`hardness` scales what hides an identity: how far the light differs between cameras, blur, noise.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from fsclib.data.drawing.identity import CAMERA, COLOURS, between, luminance, pick, stream
from fsclib.data.drawing.materials import MODALITIES, Material

M = Material


@dataclass(frozen=True, eq=False)
class Camera:
    """Gains are 256ths, lengths shares of the frame's height, angles degrees."""

    gain: tuple[int, int, int]  # light and tint, per channel
    fog: int  # grey levels that the air adds
    falloff: int  # light lost at the frame's edge
    slope: int  # light gained from left to right
    blur: int  # passes of a (1, 2, 1)/4 filter
    noise: int  # grey levels
    size: float  # stature
    stretch: float  # width of a person, relative
    tilt: float  # how much nearer things sink in the frame
    yaw: int  # the way most people walk
    light: int  # the side the sun is on
    scenery: np.ndarray  # colours of the materials WALL … SKY, uint8 (12, 3)


@lru_cache(maxsize=64)
def camera(seed: int, number: int, modality: str, hardness: float) -> Camera:
    """Camera `number` as it sees in one modality ("visible", "infrared", "thermal"); its viewpoint is the same in all."""
    place, sensor = stream(CAMERA, number, 0, seed), stream(CAMERA, number, 1 + MODALITIES.index(modality), seed)

    def spread(low: int, high: int) -> int:
        return between(sensor, int(low * hardness), int(high * hardness))

    exposure = (300 if modality == "infrared" else 256) + spread(-80, 50)
    return Camera(
        gain=tuple(max(110, exposure + (spread(-34, 34) if modality == "visible" else 0)) for _ in range(3)),
        fog=spread(0, 26),
        falloff=spread(20, 70) + (25 if modality == "infrared" else 0),
        slope=spread(-50, 50),
        blur=between(sensor, 0, 1 + int(hardness)) + (2 if modality == "thermal" else 0),
        noise=between(sensor, 1, 2 + int(4 * hardness)),
        size=0.84 + 0.06 * place.random(),
        stretch=1 + (place.random() - 0.5) * 0.16 * hardness,
        tilt=0.04 + 0.14 * place.random(),
        yaw=pick(place, {0: 2, 40: 2, 90: 3, 135: 2}),
        light=pick(place, {-1: 1, 1: 1}),
        scenery=_scenery(sensor, modality),
    )


def _scenery(rng: Generator, modality: str) -> np.ndarray:
    """Colours of the materials WALL … SKY, uint8 (12, 3): duller than clothes, and dark in infrared."""
    colours = np.array([COLOURS[between(rng, 0, len(COLOURS) - 1)] for _ in range(12)], np.int64)
    colours = (colours * 3 + 120 * 5) // 8
    colours[[M.WALL_STAIN, M.FLOOR_STAIN]] = colours[[M.WALL, M.FLOOR]] * 15 // 16
    colours[M.LINE] = (colours[M.LINE] + colours[M.FLOOR] * 3) // 4
    if modality != "visible":
        grey = np.array([luminance(colour) for colour in colours])[:, None]
        colours[:] = grey * 2 // 3 if modality == "infrared" else 20 + grey // 4
    return colours.astype(np.uint8)


def develop(image: np.ndarray, view: Camera, rng: Generator, hardness: float) -> np.ndarray:
    """Light and sensor: uint8 (2H, 2W, 3) at double size → uint8 (H, W, 3)."""
    wide = image.astype(np.uint16)
    pixels = ((wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2] + 2) >> 2).astype(np.int32)
    h, w, _ = pixels.shape
    down = (np.arange(h, dtype=np.int32) * 2 - h + 1) * 256 // h
    across = (np.arange(w, dtype=np.int32) * 2 - w + 1) * 256 // w
    light = 256 - ((down**2)[:, None] + (across**2)[None] >> 9) * view.falloff // 128 + across[None] * view.slope // 256
    light = np.maximum(light, 40)
    exposure = 256 + between(rng, -int(30 * hardness), int(30 * hardness))
    gain = np.array([g * exposure // 256 for g in view.gain], np.int32)
    pixels = ((pixels + view.fog) * light[..., None] >> 8) * gain >> 8
    for _ in range(view.blur + between(rng, 0, 1)):
        for axis in (0, 1):
            pixels = _smooth(pixels, axis)
    grain = rng.integers(-view.noise, view.noise, (2, h, w), dtype=np.int8, endpoint=True).sum(0, dtype=np.int32)
    return np.clip(pixels + grain[..., None], 0, 255).astype(np.uint8)


def _smooth(pixels: np.ndarray, axis: int) -> np.ndarray:
    """(1, 2, 1)/4 along an axis, the border repeated."""
    pixels = pixels.swapaxes(0, axis)
    out = pixels * 2
    out[1:] += pixels[:-1]
    out[:-1] += pixels[1:]
    out[0] += pixels[0]
    out[-1] += pixels[-1]
    return (out + 2 >> 2).swapaxes(0, axis)
