"""Measures why two figures of one network differ: protocol, gallery, test-time choices and pixels, changed one at a time.

    python tools/differences.py    # draws two corpora and prints the figures of docs/why-your-number-differs.md

people/fsc is tested on people that it has not seen, those of make_weights.TESTS["standard"], 100 in each world and in its
galleries. Differences are paired by person, with 95 % intervals over people (metrics.differences).
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import make_weights
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from fsclib import metrics
from fsclib.config.specs import LLCM, SYSU, Protocol
from fsclib.data.images import Images, open_images
from fsclib.data.protocols import query_and_gallery
from fsclib.data.records import select
from fsclib.inference.embedder.loading import load
from fsclib.metrics import differences, estimates
from fsclib.models.base import Network
from fsclib.models.imagenet import MEAN, STD
from fsclib.retrieval import baselines, search
from fsclib.retrieval.features import Features, embed, similarity
from fsclib.retrieval.rerank import rerank

FIRST = make_weights.TESTS["standard"][1]
CORPORA = {  # layout → seeds of its worlds, further arguments of the generator
    "llcm": (range(FIRST, FIRST + 3), "--test-images 2 --height 384 --width 144"),
    "sysu": (range(FIRST, FIRST + 2), "--test-images 10"),
}
VIS2IR, IR2VIS, CODED = LLCM.protocols
ALL, INDOOR = SYSU.protocols
MULTI = [replace(protocol, trials=1) for protocol in SYSU.further[:2]]  # all ten images of each camera: galleries are equal
SCALE, SHIFT = (torch.tensor(values)[:, None, None] for values in (STD, MEAN))
PIXELS = {  # from pixels in RGB with ImageNet's normalisation, to what the network sees instead
    "pixels from 0 to 1": lambda x: x * SCALE + SHIFT,
    "pixels with mean and deviation 0.5": lambda x: (x * SCALE + SHIFT - 0.5) / 0.5,
    "pixels in BGR": lambda x: ((x * SCALE + SHIFT).flip(1) - SHIFT) / SCALE,
}
COMPARE = {  # pooled and neck features of queries and of the gallery → similarity
    "weights 0.1 and 0.9": lambda q, g: similarity(q, g, "neck"),
    "pooled features alone": lambda q, g: (q[0] @ g[0].T).numpy(),
    "neck features alone": lambda q, g: (q[1] @ g[1].T).numpy(),
    "Euclidean distance": lambda q, g: -torch.cdist(torch.cat(q, 1), torch.cat(g, 1)).numpy(),
    "re-ranking": lambda q, g: rerank(torch.cat(q, 1), torch.cat(g, 1)),
}
Rows = Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]  # name, figures by person under the default and under the alternative


@dataclass(frozen=True, eq=False)
class World:
    """A corpus, whose people are searched for in galleries of its own."""

    name: str
    images: Images
    features: Features

    def searches(self, protocol: Protocol, compare: Callable = similarity, mirror: bool = True, rank: int = 1) -> Iterator:
        """The identities of the queries and their results, gallery by gallery; rank-1 stands for rank-`rank`."""
        records = self.images.records
        for query, gallery in (query_and_gallery(records, protocol, trial) for trial in range(protocol.trials)):
            close = compare(self.features.of(query, mirror), self.features.of(gallery, mirror))
            found = search.score(close, records, query, gallery, protocol.scoring)
            yield records["identity"].to_numpy()[query], replace(found, first_rank=-(-found.first_rank // rank))


def people(worlds: Sequence[World], *how, **options) -> pd.DataFrame:
    """Figures by person, as paired_difference takes them; arguments as of `searches`."""
    tables = [differences.by_identity(world.searches(*how, **options)).assign(world=world.name) for world in worlds]
    found = pd.concat(tables).assign(replicate=0)
    return found.assign(identity=found["world"] + "-" + found["identity"].astype(str), share=found["share"] / len(worlds))


def features_of(net: Network, images: Images, precision: torch.dtype = torch.bfloat16, mirror: bool = False) -> Features:
    return embed(net, images, select(images.records, "test"), torch.device("cpu"), precision, mirror=mirror, show=False)


def unnormalised(net: Network, images: Images) -> Features:
    """Features times their lengths, which the neck sees."""
    net, lengths = copy.deepcopy(net), []
    net.neck.register_forward_hook(lambda _, pool, neck: lengths.append([x.norm(dim=1) for x in (*pool, neck)]))
    found = features_of(net, images)
    wide = (torch.cat([n.view(net.views, -1).T for n in parts])[..., None] for parts in zip(*lengths, strict=True))  # (N, V, 1)
    both = zip((found.pool, found.neck), wide, strict=True)
    return Features(found.rows, *((x.unflatten(2, (net.views, -1)) * n).flatten(2) for x, n in both))


def changed(net: Network, pixels: Callable[[Tensor], Tensor] = lambda x: x, swapped: bool = False) -> Network:
    """A network that sees other pixels, or sends each modality through the other's stem."""
    net = copy.deepcopy(net)
    for stem in net.stems.values():
        stem.register_forward_pre_hook(lambda _, images: pixels(*images))
    if swapped:
        net.visible_stem, net.infrared_stem = net.infrared_stem, net.visible_stem
    return net


def resized(images: Images, resample: str) -> Images:
    """The images, resized from their files by another filter of Pillow."""
    size, files = images.pixels.shape[2:0:-1], (images.dataset.root / path for path in images.records["path"])
    pixels = [Image.open(file).convert("RGB").resize(size, Image.Resampling[resample]) for file in files]
    return replace(images, pixels=np.stack(pixels), place=np.arange(len(pixels)))


def of_sysu(worlds: Sequence[World]) -> Rows:
    default, indoor = people(worlds, ALL), people(worlds, INDOOR)
    yield "SYSU, indoor instead of all", default, indoor
    for name, one, several in (("all", default, MULTI[0]), ("indoor", indoor, MULTI[1])):
        yield f"SYSU, {name}, ten shots instead of one", one, people(worlds, several)
    yield "SYSU, camera 2 not hidden from camera 3", default, people(worlds, replace(ALL, scoring="regdb"))
    yield "SYSU, the first gallery instead of ten", default, people(worlds, replace(ALL, trials=1))
    yield "SYSU, re-ranking", default, people(worlds, ALL, COMPARE["re-ranking"])


def of_llcm(worlds: Sequence[World], net: Network) -> Rows:
    default, other, single = people(worlds, IR2VIS), people(worlds, VIS2IR), people(worlds, IR2VIS, mirror=False)
    yield "visible → infrared instead of infrared → visible", default, other
    yield "as-coded instead of paper, visible → infrared", other, people(worlds, CODED)
    yield "own camera not hidden", default, people(worlds, replace(IR2VIS, scoring="regdb"))
    for rank in (1, 10):
        counted = (people(worlds, replace(IR2VIS, scoring=scoring), rank=rank) for scoring in ("llcm", "standard"))
        yield f"images counted instead of people, rank-{rank}", *counted
    yield "no mirror images", default, single
    for name, compare in COMPARE.items():
        yield name, default, people(worlds, IR2VIS, compare)

    def seen(features: Iterable[Features], *compare) -> pd.DataFrame:  # all of these without mirror images, in half the time
        return people([replace(w, features=f) for w, f in zip(worlds, features, strict=True)], IR2VIS, *compare, mirror=False)

    plain = [unnormalised(net, world.images) for world in worlds]
    yield "features not normalised, inner product", single, seen(plain)
    yield "features not normalised, Euclidean distance", single, seen(plain, COMPARE["Euclidean distance"])
    for name, pixels in PIXELS.items():
        yield name, single, seen([features_of(changed(net, pixels), world.images) for world in worlds])
    yield "stems swapped", single, seen([features_of(changed(net, swapped=True), world.images) for world in worlds])
    for name in ("NEAREST", "BOX", "BILINEAR", "BICUBIC"):
        yield f"resized by {name}", single, seen([features_of(net, resized(world.images, name)) for world in worlds])
    yield "float32", single, seen([features_of(net, world.images, torch.float32) for world in worlds])


def absolute(worlds: Sequence[World], protocol: Protocol) -> None:
    """Prints figures of the first world and of all, chance, raw pixels, and the spread over galleries around their mean."""
    tables = [people([world], protocol).assign(mode=protocol.mode, direction=protocol.direction) for world in worlds]
    for row in (estimates.over_people(part).iloc[0] for part in (tables[:1], tables)):
        print(f"{protocol}, {row['people']} people:", *(f"{name} {row[name]:.1f}" for name in row.index[3:9]))
    floors = pd.concat(baselines.without_training(world.images) for world in worlds).groupby(["mode", "direction", "method"])
    print(floors[["rank1", "map"]].mean().loc[protocol.mode, protocol.direction].round(1).to_string())
    found = [[metrics.average(each) for _, each in world.searches(protocol)] for world in worlds]
    values = 100 * np.array([[(each.cmc[0], each.map) for each in of] for of in found])  # (worlds, trials, 2)
    around = (values - values.mean(1, keepdims=True)).transpose(2, 0, 1)
    for name, deviation, x in zip(("rank-1", "mAP"), values.var(1, ddof=1).mean(0) ** 0.5, around, strict=True):
        print(f"{protocol}, galleries, {name}: deviation {deviation:.2f}, {x.min():+.1f} to {x.max():+.1f}", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    loaded, worlds = load("people/fsc", device="cpu"), {}
    for layout, (seeds, words) in CORPORA.items():
        words = f"--layout {layout} --identities 102 --train-share 0.02 {words}"
        drawn = {f"differs-{layout}-{seed}": f"{words} --seed {seed}" for seed in seeds}
        worlds[layout] = []
        for name in drawn:
            images = open_images(layout, loaded.size, make_weights.draw(name, drawn), workers=1, show=False)
            worlds[layout].append(World(name, images, features_of(loaded.net, images, mirror=True)))
        absolute(worlds[layout], {"llcm": IR2VIS, "sysu": ALL}[layout])
    for name, *tables in (row for rows in (of_sysu(worlds["sysu"]), of_llcm(worlds["llcm"], loaded.net)) for row in rows):
        both = [[table.rename(columns={figure: "figure"}) for table in tables] for figure in ("rank1", "map")]
        found = [differences.paired_difference(other, default) for default, other in both]
        print(f"{name} |", " | ".join(f"{d.mean:+.1f} ({d.low:+.1f} to {d.high:+.1f})" for d in found), flush=True)


if __name__ == "__main__":
    main()
