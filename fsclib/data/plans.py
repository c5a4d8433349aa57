"""Which images a synthetic corpus holds, and what its index files say: the three layouts of PROTOCOLS, without a pixel.

A plan is a pure function of (identities, seed, images, train_share). Every identity is seen in both modalities, though
not by every camera. Labels of index files count from 0 in the order of the identities' numbers, as the published
programs expect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fsclib.data.drawing.identity import CORPUS, between, stream

SPLIT, CAMERAS, FRAMES, TRIAL = range(4)  # streams of random numbers below CORPUS

REGDB_IMAGES = 10  # of each identity in each modality
REGDB_TRIALS = 10
TRAIN_SHARES = {"sysu": 395 / 491, "regdb": 0.5, "llcm": 713 / 1064}  # of the originals


@dataclass(frozen=True)
class Shot:
    """One image: where it is written, and what `draw_person` is to draw. modality: "visible", "infrared" or "thermal"."""

    path: str
    identity: int
    camera: int
    modality: str
    index: int


@dataclass(frozen=True)
class Plan:
    """All images of a corpus, and its index files by their paths."""

    shots: tuple[Shot, ...]
    texts: Mapping[str, str]


def sysu(identities: int, seed: int, images: int, train_share: float) -> Plan:
    """cam{1..6}/{ID:04d}/{NNNN}.jpg, cameras 3 and 6 infrared; a quarter of the training identities are for validation."""
    train, test = _split(identities, seed, train_share)
    val = sorted(int(i) for i in stream(CORPUS, SPLIT, 1, seed).permutation(train)[: max(1, round(len(train) / 4))])
    shots = []
    for identity in range(1, identities + 1):
        rng = stream(CORPUS, CAMERAS, identity, seed)
        infrared = [3, 6][:: 1 if between(rng, 0, 1) else -1]
        absent = [*rng.permutation([1, 2, 4, 5])[:2].tolist(), infrared[0]]
        absent = rng.permutation(absent)[: between(rng, 0, 2)]
        for camera in sorted({1, 2, 3, 4, 5, 6} - set(absent.tolist())):
            modality = "infrared" if camera in infrared else "visible"
            shots += [Shot(f"cam{camera}/{identity:04d}/{k + 1:04d}.jpg", identity, camera, modality, k) for k in range(images)]
    lists = {"train": sorted(set(train) - set(val)), "val": val, "test": test}
    return Plan(tuple(shots), {f"exp/{split}_id.txt": _comma_separated(ids) for split, ids in lists.items()})


def regdb(identities: int, seed: int, images: int, train_share: float) -> Plan:
    """Visible/… and Thermal/… .bmp, ten of each; ten trials that halve the identities, each with four index files."""
    folders = {"visible": ("Visible", 1, "visible"), "thermal": ("Thermal", 2, "thermal")}
    shots = {
        (name, identity): [
            Shot(f"{folder}/{identity}/{identity:04d}_{name[0]}_{k + 1:02d}.bmp", identity, camera, modality, k)
            for k in range(REGDB_IMAGES)
        ]
        for identity in range(1, identities + 1)
        for name, (folder, camera, modality) in folders.items()
    }
    texts = {}
    for trial in range(1, REGDB_TRIALS + 1):
        order = stream(CORPUS, TRIAL, trial, seed).permutation(identities) + 1
        halves = {"train": sorted(order[: identities // 2].tolist()), "test": sorted(order[identities // 2 :].tolist())}
        for split, people in halves.items():
            for name in folders:
                lines = [f"{shot.path} {label}\n" for label, i in enumerate(people) for shot in shots[name, i]]
                texts[f"idx/{split}_{name}_{trial}.txt"] = "".join(lines)
    return Plan(tuple(shot for group in shots.values() for shot in group), texts)


def llcm(identities: int, seed: int, images: int, train_share: float) -> Plan:
    """Training images in vis/ and nir/, test images by camera in test_vis/ and test_nir/; no infrared test image of camera 3."""
    train, test = _split(identities, seed, train_share)
    labels = {identity: label for label, identity in enumerate(train)}
    shots, lines = [], {"vis": [], "nir": []}
    for identity in range(1, identities + 1):
        rng = stream(CORPUS, CAMERAS, identity, seed)
        cameras = sorted((rng.permutation(9)[: between(rng, 4, 6)] + 1).tolist())
        for short, modality in (("vis", "visible"), ("nir", "infrared")):
            for camera in cameras:
                if (short, camera) == ("nir", 3) and identity not in labels:
                    continue
                for index, name in enumerate(_llcm_names(identity, camera, short, seed, images)):
                    folder = f"{short}/{identity:04d}" if identity in labels else f"test_{short}/cam{camera}/{identity:04d}"
                    shots.append(Shot(f"{folder}/{name}", identity, camera, modality, index))
                    if identity in labels:
                        lines[short].append(f"{folder}/{name} {labels[identity]}\n")
    texts = {f"idx/train_{short}.txt": "".join(entries) for short, entries in lines.items()}
    return Plan(tuple(shots), texts | {"idx/test_id.txt": _comma_separated(test)})


PLANS: dict[str, Callable[[int, int, int, float], Plan]] = {"sysu": sysu, "regdb": regdb, "llcm": llcm}


def _split(identities: int, seed: int, train_share: float) -> tuple[list[int], list[int]]:
    """Training and test identities, at least two of each."""
    order = stream(CORPUS, SPLIT, 0, seed).permutation(identities) + 1
    number = min(max(2, round(train_share * identities)), identities - 2)
    return sorted(order[:number].tolist()), sorted(order[number:].tolist())


def _llcm_names(identity: int, camera: int, short: str, seed: int, images: int) -> list[str]:
    """{ID}_c{camera}_s{time of day}_f{frame}_{vis|nir}.jpg, frames ascending."""
    rng = stream(CORPUS, FRAMES, identity, camera, ("vis", "nir").index(short), seed)
    time = f"{between(rng, 18, 21):02d}{between(rng, 0, 59):02d}{between(rng, 0, 59):02d}"
    start, step = between(rng, 100, 4000), between(rng, 5, 60)
    return [f"{identity:04d}_c{camera:02d}_s{time}_f{start + step * k:04d}_{short}.jpg" for k in range(images)]


def _comma_separated(identities: list[int]) -> str:
    return ",".join(map(str, identities)) + "\n"
