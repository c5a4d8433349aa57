"""Times a network and its exports on one core, and compares their accuracy: python tools/time_export.py people/fsc.

Accuracy is rank-1 and mAP of the test people of the demo, in one gallery of all their images (protocol "standard"), in per cent.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import fsclib
from fsclib import metrics
from fsclib.data.datasets import open_dataset
from fsclib.data.records import select
from fsclib.export import Exported, export
from workbook import demo

BATCHES = (1, 16)
SECONDS = 4  # of timing, for each batch
CALIBRATION = 64  # training images of each modality

Embed = Callable[[list[str], str], np.ndarray]


def main(source: str) -> None:
    torch.set_num_threads(1)
    demo.ensure("demo")
    dataset = open_dataset("demo")
    records = dataset.records
    paths = np.array([str(dataset.root / path) for path in records["path"]])
    network = fsclib.load(source, device="cpu", precision="float32")
    train = {m: list(paths[select(records, "train", m)][::7][:CALIBRATION]) for m in ("visible", "infrared")}
    with tempfile.TemporaryDirectory() as folder:
        export(network, Path(folder) / "float32")
        export(network, Path(folder) / "int8", quantise="int8", calibration=train)
        methods: dict[str, Embed] = {"PyTorch, float32": network.embed}
        for name in ("float32", "int8"):
            found = Exported(Path(folder) / name, threads=1)
            methods[f"ONNX Runtime, {name}"] = found.embed
            size = sum(file.stat().st_size for file in (Path(folder) / name).iterdir()) / 1e6
            print(f"ONNX Runtime, {name}: {size:.1f} MB for both modalities")
        for name, embed in methods.items():
            print(f"{name}: {speed(embed, network.size)}; {accuracy(embed, records, paths)}", flush=True)


def speed(embed: Embed, size: tuple[int, int]) -> str:
    """Median milliseconds per image, of arrays that need no decoding."""
    told = []
    for batch in BATCHES:
        images = list(np.random.default_rng(0).integers(0, 256, (batch, *size, 3), np.uint8))
        spent, start = [], time.perf_counter()
        while len(spent) < 5 or time.perf_counter() - start < SECONDS:
            before = time.perf_counter()
            embed(images, "infrared")
            spent.append(time.perf_counter() - before)
        told.append(f"{1e3 * statistics.median(spent[2:]) / batch:.1f} ms in batches of {batch}")
    return ", ".join(told)


def accuracy(embed: Embed, records: pd.DataFrame, paths: np.ndarray) -> str:
    """Rank-1 and mAP of all test people."""
    queries, gallery = select(records, "test", "infrared"), select(records, "test", "visible")
    vectors = [embed(list(paths[chosen]), m) for chosen, m in ((queries, "infrared"), (gallery, "visible"))]
    who, where = records["identity"].to_numpy(), records["camera"].to_numpy()
    found = metrics.evaluate(vectors[0] @ vectors[1].T, who[queries], who[gallery], where[queries], where[gallery], "standard")
    return f"infrared → visible rank-1 {100 * found.cmc[0]:.1f}, mAP {100 * found.map:.1f}"


if __name__ == "__main__":
    main(sys.argv[1])
