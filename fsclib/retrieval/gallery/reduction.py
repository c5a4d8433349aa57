"""Dimensionality reduction that preserves inner products with queries.

    ⟨q, x⟩ = ⟨q, μ⟩ + ⟨Bᵀq, Aᵀ(x − μ)⟩ + residual              A = S^½ W / σ,  B = S^-½ W σ

μ is the gallery's mean, S = E[q qᵀ] the second moment of queries (regularised with a multiple of the identity, for directions that
the sample does not show), and W the first d eigenvectors of S^½ E[(x − μ)(x − μ)ᵀ] S^½: of all maps to d dimensions this one has
the smallest mean squared residual. Queries of one modality search a gallery of the other, so their covariance differs from the
gallery's: on a demo gallery of 10⁵, the gallery's principal components alone kept 93 % of the ten nearest, this map 98 %. In A's
coordinates all directions of a query also have equal weight, as k-means and product quantisation assume when they minimise
Euclidean errors.

σ scales the mean squared length of reduced vectors to 1, a good range for half precision. The columns are assigned to the bytes of
a code such that the largest variances go with the smallest and each byte codes the same product of variances (Ge et al., CVPR
2013, parametric OPQ).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from scipy.linalg import eigh
from torch import from_numpy

from fsclib.system.tensor_files import open_tensors, write_tensors

SHRUNK = 0.01  # share of the mean variance that is added to every direction of S
SAMPLE = 4096  # most images that it is fitted to, with a quarter as many queries
TINY = float(np.finfo(np.float32).tiny)
NAMES = ("mean", "gallery", "query")


@dataclass(frozen=True, eq=False)
class Reduction:
    """mean (D,), gallery A (D, d) and query B (D, d), float32. kept: the share of E⟨q, x − μ⟩² preserved on the sample, 0 to 1;
    nan if read from a file."""

    mean: NDArray[np.float32]
    gallery: NDArray[np.float32]
    query: NDArray[np.float32]
    kept: float = float("nan")

    def images(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Reduces gallery vectors (N, D) to (N, d)."""
        return np.matmul(vectors - self.mean, self.gallery)

    def queries(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Reduces queries (Q, D) to (Q, d); also returns the offset to add to each query's similarities, (Q,)."""
        asked = from_numpy(vectors)  # with torch, like the search: NumPy's idle threads would compete with torch's
        return (asked @ from_numpy(self.query)).numpy(), (asked @ from_numpy(self.mean)).numpy()


def fit(images: NDArray[np.float32], queries: NDArray[np.float32], dimensions: int, code: int) -> Reduction:
    """Fits the reduction to `dimensions` from samples (n, D) of a gallery and (m, D) of queries.

    code: bytes of a code, among which the columns are divided. Fewer than `dimensions` samples determine fewer columns; the others
    are zero.
    """
    mean = images.mean(0, dtype=np.float64)
    x, q = images - mean, queries.astype(np.float64)
    own, axes = _axes(q, min(q.shape))
    least = SHRUNK * float((q**2).mean()) + TINY

    def times(vectors: NDArray[np.float64], power: float) -> NDArray[np.float64]:  # (n, D) times a power of S, without forming S
        return least**power * vectors + (vectors @ axes) * ((own + least) ** power - least**power) @ axes.T

    weighted = times(x, 0.5)
    found, basis = _axes(weighted, min(dimensions, *x.shape))
    found, basis = (np.pad(part, [(0, 0)] * (part.ndim - 1) + [(0, dimensions - len(found))]) for part in (found, basis))
    kept = float(found.sum()) / max(float((weighted**2).sum(1).mean()), TINY)
    scale = np.sqrt(found.sum()) or 1.0
    basis = basis[:, _dealt(dimensions, code)].T
    gallery, query = times(basis, 0.5).T / scale, times(basis, -0.5).T * scale
    return Reduction(
        mean=np.ascontiguousarray(mean, np.float32),
        gallery=np.ascontiguousarray(gallery, np.float32),
        query=np.ascontiguousarray(query, np.float32),
        kept=kept,
    )


def _axes(vectors: NDArray[np.float64], number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The `number` largest second moments (r,) of vectors (n, D), in descending order, and their directions (D, r)."""
    n, dimension = vectors.shape
    wide = n < dimension
    product = (vectors @ vectors.T if wide else vectors.T @ vectors) / n
    found, axes = eigh(product, subset_by_index=(len(product) - number, len(product) - 1))
    found, axes = found[::-1].clip(0), axes[:, ::-1]
    if wide:
        axes = vectors.T @ axes / np.sqrt(np.maximum(n * found, TINY))
        axes[:, found <= 1e-12 * found[0]] = 0  # directions that the sample does not show
    return found, axes


def _dealt(dimensions: int, code: int) -> NDArray[np.int64]:
    """Assigns columns of descending variance to the bytes of a code in alternating direction; returns their order."""
    rounds = np.arange(dimensions).reshape(-1, code)
    rounds[1::2] = rounds[1::2, ::-1]
    return rounds.T.ravel()


def write(file: Path, reduction: Reduction) -> None:
    write_tensors(file, {name: from_numpy(np.ascontiguousarray(getattr(reduction, name))) for name in NAMES}, {})


def read(file: Path, dimension: int, dimensions: int) -> Reduction:
    """Reads a reduction. Errors: OSError or ValueError if the file holds no reduction from `dimension` to `dimensions`."""
    shapes = {"mean": (dimension,), "gallery": (dimension, dimensions), "query": (dimension, dimensions)}
    found = read_arrays(file, {name: (np.float32, shape) for name, shape in shapes.items()})
    return Reduction(found["mean"], found["gallery"], found["query"])


def read_arrays(file: Path, expected: Mapping[str, tuple[type, tuple[int, ...]]]) -> dict[str, np.ndarray]:
    """Arrays of a safetensors file, by name, checked against the expected types and shapes.

    Errors: OSError; ValueError, also for numbers that are not finite.
    """
    try:
        with open_tensors(file) as kept:
            found = {name: kept.get_tensor(name).numpy() for name in expected}
    except (SafetensorError, MemoryError) as error:
        raise ValueError(f"is not a valid safetensors file ({error})") from error
    for name, (kind, shape) in expected.items():
        array = found[name]
        if array.dtype != kind or array.shape != shape:
            raise ValueError(f"{name}: found {array.dtype} of shape {array.shape}, expected {np.dtype(kind)} of shape {shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name}: found numbers that are not finite, expected finite ones")
    return found
