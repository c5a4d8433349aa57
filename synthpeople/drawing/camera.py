"""A camera's optics and sensor, drawn from (seed, camera, modality) and the same for all people."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from synthpeople.difficulty import Difficulty
from synthpeople.people.looks import MODALITIES
from synthpeople.place import Place
from synthpeople.randomness import CAMERA, TEXTURE, between, stream, uniform

DARK = Difficulty.dark  # exposure at night in the presets, for which noise and haze were chosen
HALO = 0.012  # radius of sharpening, as a share of the image's height
NOISE_SIDE = 640  # of the noise tile that images are cut from


@dataclass(frozen=True)
class Camera:
    """Gains are factors, blur is a share of the image's height, noise and fixed pattern are grey levels."""

    gain: tuple[float, float, float]  # exposure and colour balance
    lift: float  # grey levels added by haze and lens
    falloff: float  # light lost in the corners
    centre: tuple[float, float]  # brightest point, in half widths and half heights from the middle
    blur: float
    noise: float
    fixed: float  # fixed-pattern noise of a thermal sensor
    quality: int  # of its JPEG files


@lru_cache(maxsize=64)
def camera(seed: int, number: int, modality: str, place: Place, difficulty: Difficulty) -> Camera:
    """Camera `number` of the world `seed` in one of MODALITIES."""
    rng = stream(CAMERA, number, 1 + MODALITIES.index(modality), seed)
    light = difficulty.light
    night = place.night and modality == "visible"
    exposure = (difficulty.dark if night else 1.15 if modality == "infrared" else 1.0) * (1 + light * uniform(rng, -0.22, 0.18))
    dimmed = difficulty.dark / DARK if night else 1.0  # the same lamps light the haze, and less amplification means less noise
    tint = tuple(1 + (t - 1) * min(light, 1.3) for t in place.tint) if modality == "visible" else (1.0, 1.0, 1.0)
    view = Camera(
        gain=tuple(exposure * t for t in tint),
        lift=light * uniform(rng, 0, 16) * dimmed,
        falloff=uniform(rng, 0.25, 0.5) if modality == "infrared" else light * uniform(rng, 0.05, 0.25),
        centre=(light * uniform(rng, -0.25, 0.25), light * uniform(rng, -0.3, 0.1)),
        blur=difficulty.blur * uniform(rng, 0.0012, 0.0034) + (0.0045 if modality == "thermal" else 0),
        noise=difficulty.noise * uniform(rng, 1.5, 4.5) * (2.4 * dimmed if night else 1.5 if modality == "infrared" else 1.0),
        fixed=difficulty.noise * uniform(rng, 1.5, 3.5) if modality == "thermal" else 0.0,
        quality=between(rng, *difficulty.quality),
    )
    if night and difficulty.lamps:
        colours = (1 + difficulty.lamps * uniform(rng, -1, 1) for _ in range(3))
        view = replace(view, gain=tuple(gain * colour for gain, colour in zip(view.gain, colours, strict=True)))
    return view


@lru_cache(maxsize=2)
def _noise(coloured: bool) -> np.ndarray:
    """Standard normal noise, float32 (NOISE_SIDE, NOISE_SIDE, 3 or 1)."""
    return stream(TEXTURE, 99, int(coloured)).standard_normal((NOISE_SIDE, NOISE_SIDE, 3 if coloured else 1), np.float32)


def _grain(rng: Generator, height: int, width: int, coloured: bool) -> np.ndarray:
    tile = _noise(coloured)
    if height > NOISE_SIDE or width > NOISE_SIDE:
        tile = np.tile(tile, (-(-height // NOISE_SIDE) + 1, -(-width // NOISE_SIDE) + 1, 1))
    top, left = between(rng, 0, tile.shape[0] - height), between(rng, 0, tile.shape[1] - width)
    return tile[top : top + height, left : left + width]


@lru_cache(maxsize=18)  # the nine cameras of LLCM in both modalities
def _field(view: Camera, height: int, width: int) -> np.ndarray:
    """Light over the image, float32 (height, width, 1)."""
    down = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1 - np.float32(view.centre[1])
    across = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1 - np.float32(view.centre[0])
    distance = (down * down)[:, None] * np.float32(0.7) + (across * across)[None] * np.float32(0.5)
    return np.maximum(1 - np.float32(view.falloff) * distance, np.float32(0.25))[..., None].astype(np.float32)


def develop(
    pixels: np.ndarray, glow: np.ndarray | None, view: Camera, rng: Generator, modality: str, difficulty: Difficulty
) -> np.ndarray:
    """The sensor's image of an evenly lit scene: uint8 (H, W, 3) → uint8 (H, W, 3). glow, same shape and type, adds light."""
    height, width, _ = pixels.shape
    channels = 3 if modality == "visible" else 1  # a grey sensor has three equal channels
    exposure = 1 + difficulty.light * uniform(rng, -0.14, 0.14)
    gain = np.array(view.gain[:channels], np.float32) * np.float32(exposure)
    image = pixels[..., :channels] * (_field(view, height, width) * gain)
    image += np.float32(view.lift)
    if glow is not None:
        image += glow[..., :channels]
    level, contrast = difficulty.tone(modality)
    if (level, contrast) != (1, 1):
        mean = np.float32(image.mean(dtype=np.float64))
        image = (image - mean) * np.float32(contrast) + mean * np.float32(level)
    np.clip(image, 0, 255, out=image)
    sharp = image.astype(np.uint8)
    radius = (
        1.3 * height * (view.blur + difficulty.blur * uniform(rng, 0, 0.0016))
    )  # a box filter approximates a Gaussian in a third of the time
    picture = Image.fromarray(sharp if channels == 3 else sharp[..., 0]).filter(ImageFilter.BoxBlur(radius))
    if difficulty.motion:  # people and cameras move sideways
        picture = picture.filter(ImageFilter.BoxBlur((height * difficulty.motion * uniform(rng, 0, 1), 0)))
    if difficulty.edges and modality == "thermal":
        picture = picture.filter(ImageFilter.UnsharpMask(height * HALO, round(100 * difficulty.edges), 0))
    out = np.asarray(picture).reshape(height, width, channels) + _grain(rng, height, width, channels == 3) * np.float32(view.noise)
    if view.fixed:
        columns = stream(TEXTURE, 98, int(view.fixed * 1e6)).standard_normal((1, width, 1)).astype(np.float32)
        out += columns * np.float32(view.fixed)
    np.clip(out, 0, 255, out=out)
    return np.broadcast_to(out.astype(np.uint8), (height, width, 3))
