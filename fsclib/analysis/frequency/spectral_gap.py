"""The distance between visible and infrared images of the same people, frequency by frequency.

A_m[c, r] is the amplitude of channel c in ring r, √(mean |F|² of the ring), averaged over the images of a person in modality m and
then over people. The distance of the modalities in a ring is that of two vectors over channels, relative to their length,

    d(r) = ‖A_V(r) − A_I(r)‖ / √(½‖A_V(r)‖² + ½‖A_I(r)‖²),     0: equal, √2: no channel in common,

so a module that scales all channels alike changes nothing. With few people any two means differ by chance. The expected part of
‖A_V − A_I‖² due to chance, the variance of a person's difference divided by the number of people, is subtracted, and once more in
each bootstrap sample of people, which adds as much again. Phases, which encode positions in an image, are ignored.
"""

import numpy as np
import pandas as pd

from fsclib.metrics.bootstrap import interval, multiplicities


def by_radius(
    energy: np.ndarray, identity: np.ndarray, modality: np.ndarray, seed: int, level: float = 0.95, resamples: int = 1000
) -> pd.DataFrame:
    """d(r) from energies by ring (N, C, R) of N images, with their identity and modality, (N,) each.

    Columns: `frequency`, cycles per image height, `distance`, and `low`, `high`: the interval of that level over people
    (percentile bootstrap, both modalities of a person together). People seen in only one modality are left out.
    Errors: ValueError with fewer than two people, which do not allow an interval.
    """
    amplitude = np.sqrt(energy)
    people = [who for who in np.unique(identity) if len(np.unique(modality[identity == who])) == 2]
    if len(people) < 2:
        raise ValueError(f"found {len(people)} people in both modalities, expected at least two; draw more people")
    names = np.unique(modality)
    first, second = (np.stack([amplitude[(identity == who) & (modality == name)].mean(0) for who in people]) for name in names)
    number = len(people)
    times = multiplicities(number, resamples, seed) / number  # (resamples, P)
    variance = (first - second).var(0).sum(0)  # (R,), over people, summed over channels
    noise = variance / (number - 1)
    distance = _distance(first.mean(0)[None], second.mean(0)[None], noise)[0]
    drawn = _distance(np.tensordot(times, first, 1), np.tensordot(times, second, 1), noise + variance / number)
    low, high = interval(drawn, level)
    return pd.DataFrame({"frequency": np.arange(len(distance)), "distance": distance, "low": low, "high": high})


def _distance(first: np.ndarray, second: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """d(r), (K, R), from K pairs of mean amplitudes (K, C, R) and the chance part of their squared distance, (R,)."""
    squared = ((first - second) ** 2).sum(1) - noise
    length = ((first**2).sum(1) + (second**2).sum(1)) / 2
    return np.sqrt(np.divide(np.maximum(squared, 0), length, out=np.zeros_like(squared), where=length > 0))
