"""Times a network and its exports on one core, and compares their accuracy: python tools/time_export.py people/fsc.

Accuracy is rank-1 and mAP of the test people of the demo, infrared queries in one gallery of all their visible images (protocol
"standard"), in per cent, beside chance and raw pixels.
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
from fsclib.data.images import open_images
from fsclib.data.records import select
from fsclib.inference.export import Exported, export
from fsclib.metrics import chance
from fsclib.retrieval.baselines import pixel_features
from workbook import demo

BATCHES = (1, 16)
SECONDS = 4  # of timing, for each batch
CALIBRATION = 64  # training images of each modality

Embed = Callable[[list[str], str], np.ndarray]


def main(source: str) -> None:
    torch.set_num_threads(1)
    demo.ensure("demo")
    network = fsclib.load(source, device="cpu", precision="float32")
    images = open_images("demo", network.size)
    records = images.records
    paths = np.array([str(images.dataset.root / path) for path in records["path"]])
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
            vectors = [embed(list(paths[select(records, "test", m)]), m) for m in ("infrared", "visible")]
            print(f"{name}: {speed(embed, network.size)}; {accuracy(records, vectors[0] @ vectors[1].T)}", flush=True)
    pixels = [pixel_features(images, select(records, "test", m)).pool[0] for m in ("infrared", "visible")]
    print(f"raw pixels: {accuracy(records, (pixels[0] @ pixels[1].T).numpy())}; chance: {accuracy(records)}")


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


def accuracy(records: pd.DataFrame, similarity: np.ndarray | None = None) -> str:
    """Rank-1 and mAP of all test people, those of chance without a similarity."""
    queries, gallery = select(records, "test", "infrared"), select(records, "test", "visible")
    who, where = records["identity"].to_numpy(), records["camera"].to_numpy()
    search = (who[queries], who[gallery], where[queries], where[gallery], "standard")
    found = chance.evaluate(*search) if similarity is None else metrics.evaluate(similarity, *search)
    return f"rank-1 {100 * found.cmc[0]:.1f}, mAP {100 * found.map:.1f}"


if __name__ == "__main__":
    main(sys.argv[1])
