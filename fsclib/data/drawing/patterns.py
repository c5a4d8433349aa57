"""Where a patterned cloth shows its mark, in integers: the same on every machine, and at every size of image."""

import numpy as np


def marked(pattern: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Boolean mask of the mark, which broadcasts to (H, W).

    u (1, W) and v (H, 1) are int32, in thousandths of the stature: u sideways from the middle of the side that faces
    the camera, v down from the top of the garment. Patterns drawn as shapes of their own mark nothing here.
    """
    match pattern:
        case "stripes-medium":
            return v % 60 < 28
        case "stripes-broad":
            return v % 124 < 60
        case "bars":
            return u % 70 < 32
        case "diagonal":
            return (u + v) % 100 < 46
        case "checks":
            return (u // 46 + v // 46) % 2 == 0
        case "dots":
            return (u % 68 - 34) ** 2 + ((v + u // 68 % 2 * 34) % 68 - 34) ** 2 < 21**2
        case "yoke":
            return v < 105
        case "band":
            return (v > 130) & (v < 215)
        case "halves":
            return u > 0
        case "hem":
            return v > 250
        case _:
            return np.zeros((1, 1), bool)
