"""Extrapolates the costs of larger galleries from measurements.

    lists            4 √N, as in IndexOptions; probes and bytes per image as measured
    training         a + b · lists²      k-means compares 39 images for each list with every list
    filling          N (a + b · lists)   an image is generated, reduced, and compared with every list
    merging          a N
    latency          a + b · (4 · lists + probes · N / lists)     a comparison with a centre counts as much as with four codes

a and b are non-negative least-squares fits to the measured sizes; for a single size, a is zero. Not modelled: codes that no longer
fit into memory and, with several machines, the network between them and the slowest of them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from fsclib.retrieval.gallery.options import IVFPQ, IndexOptions

COUNTS = (10**7, 10**8, 10**9)
SHARE = 10**8  # most images per machine
LABELS = 8 + 12  # bytes per image: identity and camera, and the sorted identities for filters


def extrapolate(
    measured: pd.DataFrame, dimension: int, options: IndexOptions, counts: Sequence[int] = COUNTS, share: int = SHARE
) -> pd.DataFrame:
    """Galleries of `counts` images, on one machine and, where they are larger than `share`, on several.

    measured: rows of measurement.measure, of which only those for lists of codes are used; dimension: of the vectors; options: of
    the index. Columns: images, machines; lists and probes per machine; disk_gb, in total; memory_gb per machine, for codes, labels
    and centres; build_h and latency_ms per machine. Errors: ValueError without a usable row.
    """
    rows = measured[measured["kind"] == IVFPQ]
    if not len(rows):
        raise ValueError(f"measured: found no row of kind {IVFPQ}, expected one or more; measure a gallery with lists of codes")
    images, lists, probes = (rows[name].to_numpy(float) for name in ("images", "lists", "probes"))
    training = _line(lists**2, rows["training_s"])
    filling = _line(lists, rows["filling_s"] / images)
    merging = float((rows["merging_s"] / images).iloc[-1])
    latency = _line(4 * lists + probes * images / lists, rows["median_ms"])
    last = rows.iloc[-1]
    found = []
    for count in counts:
        for machines in sorted({1, -(-count // share)}):
            own = -(-count // machines)
            settled = options.settled(own, dimension)
            work = 4 * settled.lists + settled.probes * own / settled.lists
            seconds = last["reduction_s"] + _at(training, settled.lists**2) + own * (_at(filling, settled.lists) + merging)
            found.append({
                "images": count, "machines": machines, "lists": settled.lists, "probes": settled.probes,
                "disk_gb": count * (last["code_bytes"] + last["vector_bytes"] + 8) / 1e9,
                "memory_gb": (own * (last["code_bytes"] + LABELS) + 4 * settled.lists * settled.dimensions) / 1e9,
                "build_h": seconds / 3600, "latency_ms": _at(latency, work),
            })  # fmt: skip
    return pd.DataFrame(found)


def _line(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Fits (a, b) of a + b x, neither negative, to minimise squared relative errors."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) == 1:
        return np.array([0, y[0] / x[0]])
    weights = 1 / np.maximum(y, 1e-12)
    scale = x.max()
    a, b = nnls(np.stack([weights, weights * x / scale], 1), weights * y)[0]
    return np.array([a, b / scale])


def _at(line: NDArray[np.float64], x: float) -> float:
    return float(line[0] + line[1] * x)
