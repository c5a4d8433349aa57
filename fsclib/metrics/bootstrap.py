"""The percentile bootstrap over people, which every interval uses.

Images of one person are alike, so people are resampled, not images or queries (cluster bootstrap, Field & Welsh, JRSS B 2007). A
figure is a function of the multiplicities m, how often each person was drawn; m = 1 gives the figure itself.

A figure of the images themselves, such as their spectrum, depends on the cameras as well: their lenses, exposure and backgrounds.
There people and cameras are resampled independently, and an image counts m_person · m_camera times (pigeonhole bootstrap, Owen,
Annals of Applied Statistics 2007; product weights, Owen & Eckles, ibid. 2012). What people and cameras contribute to the variance
is estimated without bias; what single images contribute counts up to three times, so intervals are rather too wide than too narrow.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def multiplicities(people: int, resamples: int, seed: int | np.random.Generator) -> NDArray[np.int64]:
    """How often each of `people` people is drawn in each resample, (resamples, people). Equal seeds give equal draws."""
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=resamples)


def image_multiplicities(
    people: ArrayLike, cameras: ArrayLike, modalities: ArrayLike, resamples: int, seed: int | np.random.Generator
) -> NDArray[np.float64]:
    """How often each of N images counts when people and cameras are resampled, (at most resamples, N).

    people, cameras, modalities: labels of each image, (N,). Cameras are drawn within each modality: people are common to both. Of
    C cameras C − 1 are drawn: C of C would give (C − 1)/C of their variance, half with two (McCarthy & Snowden, Vital and Health
    Statistics 1985). A single camera is always drawn, so the interval is one over people only. Resamples in which a modality has
    no image are left out. Equal seeds give equal draws.
    """
    generator = np.random.default_rng(seed)
    person, camera, modality = (np.unique(labels, return_inverse=True)[1] for labels in (people, cameras, modalities))
    times = multiplicities(person.max() + 1, resamples, generator)[:, person].astype(np.float64)
    sides = [modality == side for side in range(modality.max() + 1)]
    for side in sides:
        names, place = np.unique(camera[side], return_inverse=True)
        drawn = max(1, len(names) - 1)
        times[:, side] *= generator.multinomial(drawn, np.full(len(names), 1 / len(names)), size=resamples)[:, place]
    return times[np.all([times[:, side].any(1) for side in sides], axis=0)]


def interval(drawn: ArrayLike, level: float = 0.95) -> NDArray[np.float64]:
    """Percentile interval (low, high) from the figure of each resample, (resamples, …): (2, …)."""
    return np.quantile(np.asarray(drawn), ((1 - level) / 2, (1 + level) / 2), axis=0)


def bootstrap_interval(
    values: ArrayLike,
    identities: ArrayLike,
    seed: int | np.random.Generator = 0,
    level: float = 0.95,
    resamples: int = 10_000,
) -> tuple[float, float]:
    """Percentile interval (low, high) of the mean of `values` when query identities are resampled with replacement.

    values: (Q,), one number per query, such as `average_precision`, `hits(1)` or, paired, the difference of two methods on the
    same queries; nan entries are ignored. identities: (Q,). Equal seeds give equal intervals.
    Errors: ValueError for unequal lengths, no valid number, or a level outside (0, 1).
    """
    values, identities = np.asarray(values, np.float64), np.asarray(identities)
    if values.ndim != 1 or identities.shape != values.shape:
        raise ValueError(
            f"Found values of shape {values.shape} and identities of shape {identities.shape}, expected (Q,) for both: "
            "pass one value and one identity per query."
        )
    if not 0 < level < 1:
        raise ValueError(f"Found level {level}, expected a share between 0 and 1: pass 0.95 for a 95 % interval.")
    counted = ~np.isnan(values)
    if not counted.any():
        raise ValueError(f"Found {len(values)} values, all nan, expected at least one number: no query has a true match.")
    _, person = np.unique(identities[counted], return_inverse=True)
    sums, counts = np.bincount(person, weights=values[counted]), np.bincount(person)
    drawn = multiplicities(len(counts), resamples, seed)
    low, high = interval((drawn @ sums) / (drawn @ counts), level)
    return float(low), float(high)
