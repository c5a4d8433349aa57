"""The distance between visible and infrared images of the same people, frequency by frequency.

A_m[c, r] is the amplitude of channel c in ring r, √(mean |F|² of the ring), averaged over the images of a person in modality m and
then over people. The distance of the modalities in a ring is that of two vectors over channels, relative to their length,

    d(r) = ‖A_V(r) − A_I(r)‖ / √(½‖A_V(r)‖² + ½‖A_I(r)‖²),     0: equal, √2: no channel in common,

so a module that scales all channels alike changes nothing. With few people and cameras any two means differ by chance. The expected
part of ‖A_V − A_I‖² due to chance is subtracted: the variance of the difference clustered by person, plus that by camera, minus
that by both (Cameron, Gelbach & Miller, Journal of Business & Economic Statistics 2011); a modality with one camera tells nothing
about cameras. Each resample of people and cameras adds its own variance, which is subtracted there as well. Phases, which encode
positions in an image, are ignored.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsclib.metrics.bootstrap import image_multiplicities, interval


def by_radius(
    energy: np.ndarray, identity: np.ndarray, camera: np.ndarray, modality: np.ndarray, seed: int, resamples: int = 1000
) -> pd.DataFrame:
    """d(r) from energies by ring (N, C, R) of N images, with their identity, camera and modality, (N,) each.

    Columns: `frequency`, cycles per image height, `distance`, and `low`, `high`: the 95 % interval over people and cameras
    (percentile bootstrap, both modalities of a person together). People seen in only one modality are left out.
    Errors: ValueError with fewer than two people, which do not allow an interval.
    """
    distance, drawn = resampled(energy, identity, camera, modality, seed, resamples)
    low, high = interval(drawn)
    return pd.DataFrame({"frequency": np.arange(len(distance)), "distance": distance, "low": low, "high": high})


def resampled(
    energy: np.ndarray, identity: np.ndarray, camera: np.ndarray, modality: np.ndarray, seed: int, resamples: int = 1000
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """d(r), (R,), and that of each resample, (K, R), from the arguments of `by_radius`. Equal seeds draw the same images."""
    people = [who for who in np.unique(identity) if len(np.unique(modality[identity == who])) == 2]
    if len(people) < 2:
        raise ValueError(f"found {len(people)} people in both modalities, expected at least two; draw more people")
    kept = np.isin(identity, people)
    amplitude, identity, camera, modality = np.sqrt(energy[kept]), identity[kept], camera[kept], modality[kept]
    times = image_multiplicities(identity, camera, modality, resamples, seed)
    sides = [modality == name for name in np.unique(modality)]
    alone = sum(side[:, None] * side * (identity[:, None] == identity) for side in sides)  # images of one person and modality
    weight = 1 / np.asarray(alone).sum(1)
    means, draws, influence = [], [], np.empty_like(amplitude)
    for side, sign in zip(sides, (1, -1), strict=True):
        own, drawn = weight[side], times[:, side] * weight[side]
        means.append(np.tensordot(own, amplitude[side], 1) / own.sum())
        draws.append(np.tensordot(drawn / drawn.sum(1, keepdims=True), amplitude[side], 1))
        influence[side] = sign * (own / own.sum())[:, None, None] * (amplitude[side] - means[-1])
    noise = _chance(influence, identity, camera, sides)
    spread = ((draws[0] - draws[1] - (means[0] - means[1])) ** 2).sum(1).mean(0)
    return _distance(means[0][None], means[1][None], noise)[0], _distance(draws[0], draws[1], noise + spread)


def _chance(influence: np.ndarray, identity: np.ndarray, camera: np.ndarray, sides: list[np.ndarray]) -> NDArray[np.float64]:
    """Expected squared length of the difference by chance, (R,), from the part of each image in the difference, (N, C, R)."""
    by_person = found = _clustered(influence, identity)
    for side in sides:
        if len(np.unique(camera[side])) > 1:
            both = np.unique(np.stack([identity[side], camera[side]]), axis=1, return_inverse=True)[1]
            found = found + _clustered(influence[side], camera[side]) - _clustered(influence[side], both)
    return np.maximum(found, by_person)


def _clustered(influence: np.ndarray, labels: np.ndarray) -> NDArray[np.float64]:
    """Sum over channels of the variance of the sum of (N, C, R) if images with equal labels were drawn together, (R,)."""
    names, place = np.unique(labels, return_inverse=True)
    sums = np.tensordot((np.arange(len(names))[:, None] == place.ravel()).astype(float), influence, 1)
    return (sums**2).sum((0, 1)) * len(names) / (len(names) - 1)


def _distance(first: np.ndarray, second: np.ndarray, noise: np.ndarray) -> NDArray[np.float64]:
    """d(r), (K, R), from K pairs of mean amplitudes (K, C, R) and the chance part of their squared distance, (R,)."""
    squared = ((first - second) ** 2).sum(1) - noise
    length = ((first**2).sum(1) + (second**2).sum(1)) / 2
    return np.sqrt(np.divide(np.maximum(squared, 0), length, out=np.zeros_like(squared), where=length > 0))
