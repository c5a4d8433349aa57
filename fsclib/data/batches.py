"""Training batches, and batches of a single modality for inference.

One thread prefetches pixels; the training thread augments them on the device.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fsclib.data.augment import Augmentation, augment
from fsclib.data.records import MODALITIES

AHEAD = 2  # prefetched batches: enough to hide a slow read, at a negligible cost in memory


def batches(
    pixels: np.ndarray,
    visible_rows: np.ndarray,
    infrared_rows: np.ndarray,
    labels: np.ndarray,
    device: torch.device | str,
    generator: torch.Generator,
    settings: Augmentation,
    part: slice | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Augmented batches of an epoch, one per step.

    pixels                       uint8 (M, H, W, 3), usually memory-mapped
    visible_rows, infrared_rows  (S, N) rows of `pixels`
    labels                       (S, N), the same for both modalities
    generator                    on the CPU; advanced once per step, in the caller's thread
    part                         this process's share of the N images, if several processes share a batch

    Yields visible and infrared images, float32 (N, 3, H, W), or those of `part`, and all labels, int64 (N,), on the device.
    Errors of the reading thread are raised here; closing the iterator ends the thread.
    """
    device = torch.device(device)
    rows, places = np.concatenate([visible_rows, infrared_rows], axis=1), None
    batch = rows.shape[1]
    if part is not None:
        own = np.arange(batch).reshape(2, -1)[:, part].ravel()
        rows, places = rows[:, own], torch.from_numpy(own)

    def read(step: int) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(np.take(np.asarray(pixels), rows[step], axis=0))
        target = torch.tensor(labels[step], dtype=torch.int64)
        return (images.pin_memory(), target.pin_memory()) if device.type == "cuda" else (images, target)

    with ThreadPoolExecutor(1, thread_name_prefix="batches") as reader:
        try:
            ahead = deque(reader.submit(read, step) for step in range(min(AHEAD, len(rows))))
            for step in range(len(rows)):
                images, target = (tensor.to(device, non_blocking=True) for tensor in ahead.popleft().result())
                if step + AHEAD < len(rows):
                    ahead.append(reader.submit(read, step + AHEAD))
                visible, infrared = augment(images, generator, settings, places, batch).chunk(2)
                yield visible, infrared, target
        finally:
            reader.shutdown(wait=False, cancel_futures=True)


def by_modality(records: pd.DataFrame, rows: np.ndarray, size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Modality and rows of single-modality batches: visible ones first, otherwise in the order of `rows`."""
    modality = records["modality"].to_numpy()[rows]
    for name in MODALITIES:
        own = rows[modality == name]
        yield from ((name, own[start : start + size]) for start in range(0, len(own), size))
