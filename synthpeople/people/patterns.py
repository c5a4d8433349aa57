"""Patterns of cloth: where the mark shows. Coordinates are metres: `around` from the middle of the front, `along` downwards."""

import numpy as np


def marked(pattern: str, around: np.ndarray, along: np.ndarray, size: float) -> np.ndarray:
    """Share of the mark, float32 (N,): 0 or 1, and between at edges finer than a pixel. size: 0.8 … 2.2."""
    match pattern:
        case "stripes":
            return _wave(along, 0.062 * size, 0.5)
        case "bars":
            return _wave(around, 0.055 * size, 0.4)
        case "checks":
            one, other = _wave(along, 0.075 * size, 0.5), _wave(around, 0.075 * size, 0.5)
            return (one + other) / 2
        case "print":
            row = np.floor(along / np.float32(0.052 * size))
            x = (around / np.float32(0.060 * size) + row * np.float32(0.5)) % 1 - np.float32(0.5)
            y = along / np.float32(0.052 * size) - row - np.float32(0.5)
            return _step(np.float32(0.085) - x * x - y * y, 0.05)
        case "blocks":
            return _step(along - np.float32(0.20 + 0.07 * size), 0.004)
        case "yoke":
            return _step(np.float32(0.08 + 0.04 * size) - along, 0.004)
        case "band":
            return _step(np.float32(0.03 + 0.015 * size) - np.abs(along - np.float32(0.20 + 0.04 * size)), 0.004)
        case "logo":
            x, y = around / np.float32(0.062 * size), (along - np.float32(0.20)) / np.float32(0.055 * size)
            return _step(1 - x * x * x * x - y * y * y * y, 0.2)
        case "side stripe":
            return _step(np.float32(0.014) - np.abs(around - np.float32(0.118)), 0.003) * (along > np.float32(0.62))
        case _:
            return np.zeros(around.shape, np.float32)


def _wave(values: np.ndarray, period: float, share: float) -> np.ndarray:
    """1 over `share` of every period."""
    place = np.abs((values / np.float32(period)) % 1 - np.float32(0.5))
    return _step(np.float32(share / 2) - place, 0.06)


def _step(values: np.ndarray, width: float) -> np.ndarray:
    return np.clip(values / np.float32(width) + np.float32(0.5), 0, 1)
