"""The images and index files of a synthetic corpus, without pixels: the layouts of SYSU-MM01, RegDB and LLCM.

A plan is a pure function of (size, seed). Every identity is seen in both modalities, though not by every camera. Near twins are
always in the same split, or training would nearly reveal a test identity. If there are several worlds, each is entirely in one
split, except for RegDB, whose trials halve the identities. Labels of index files count from 0 in the order of the identities'
numbers, as the published programs expect.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from numpy.random import Generator

from synthpeople.drawing import family
from synthpeople.randomness import CORPUS, TRACK_LENGTH, between, stream
from synthpeople.sizes import CAMERAS, FRAMES, REGDB_IMAGES, SPLIT, TRIAL, Size

REGDB_TRIALS = 10
SYSU_GAPS = 83 / 384  # share of (identity, visible camera) pairs without an image: 96 test identities have 301 of 384
DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Shot:
    """One image: its path and the arguments of `draw`. modality: "visible", "infrared" or "thermal"."""

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


def sysu(size: Size, seed: int) -> Plan:
    """cam{1..6}/{ID:04d}/{NNNN}.jpg, cameras 3 and 6 infrared; a quarter of the training identities are for validation."""
    train, test = _train_and_test(size, seed)
    val, rest = divide(train, max(1, round(len(train) / 4)), stream(CORPUS, SPLIT, 1, seed))
    shots = []
    for number, (split, people) in enumerate({"train": train, "test": test}.items()):
        seen = _sysu_pairs(people, stream(CORPUS, CAMERAS, number, seed))
        for modality, cameras in (("visible", (1, 2, 4, 5)), ("infrared", (3, 6))):
            tracks = [(identity, camera) for identity, camera in seen if camera in cameras]
            for (identity, camera), count in zip(tracks, size.counts(split, modality, len(tracks), seed), strict=True):
                folder = f"cam{camera}/{identity:04d}"
                shots += [Shot(f"{folder}/{k + 1:04d}.jpg", identity, camera, modality, k) for k in range(count)]
    lists = {"train": rest, "val": val, "test": test}
    return Plan(tuple(shots), {f"exp/{split}_id.txt": _comma_separated(ids) for split, ids in lists.items()})


def regdb(size: Size, seed: int) -> Plan:
    """Visible/… and Thermal/… .bmp, ten of each per identity; ten trials that halve the identities, each with four index files."""
    everyone = range(1, size.identities + 1)
    folders = {"visible": ("Visible", 1), "thermal": ("Thermal", 2)}
    shots = {
        (name, identity): [
            Shot(f"{folder}/{identity}/{identity:04d}_{name[0]}_{k + 1:02d}.bmp", identity, camera, name, k)
            for k in range(REGDB_IMAGES)
        ]
        for identity in everyone
        for name, (folder, camera) in folders.items()
    }
    texts = {}
    for trial in range(1, REGDB_TRIALS + 1):
        halves = divide(everyone, size.identities // 2, stream(CORPUS, TRIAL, trial, seed))
        for split, people in zip(("train", "test"), halves, strict=True):
            for name in folders:
                lines = [f"{shot.path} {label}\n" for label, i in enumerate(people) for shot in shots[name, i]]
                texts[f"idx/{split}_{name}_{trial}.txt"] = "".join(lines)
    return Plan(tuple(shot for group in shots.values() for shot in group), texts)


def llcm(size: Size, seed: int) -> Plan:
    """Training images in vis/ and nir/, test images by camera in test_vis/ and test_nir/; no infrared test image of camera 3."""
    train, test = _train_and_test(size, seed)
    labels = {identity: label for label, identity in enumerate(train)}
    cameras = {identity: _llcm_cameras(identity, seed) for identity in range(1, size.identities + 1)}
    shots, texts = [], {"idx/test_id.txt": _comma_separated(test)}
    for split, people in (("train", train), ("test", test)):
        for short, modality in (("vis", "visible"), ("nir", "infrared")):
            hidden = 3 if (split, short) == ("test", "nir") else None
            tracks = [(i, camera) for i in people for camera in cameras[i] if camera != hidden]
            for (i, camera), count in zip(tracks, size.counts(split, modality, len(tracks), seed), strict=True):
                folder = f"{short}/{i:04d}" if split == "train" else f"test_{short}/cam{camera}/{i:04d}"
                names = _llcm_names(i, camera, short, seed, count)
                shots += [Shot(f"{folder}/{name}", i, camera, modality, k) for k, name in enumerate(names)]
    for short, modality in (("vis", "visible"), ("nir", "infrared")):
        trained = (shot for shot in shots if shot.identity in labels and shot.modality == modality)
        texts[f"idx/train_{short}.txt"] = "".join(f"{shot.path} {labels[shot.identity]}\n" for shot in trained)
    return Plan(tuple(shots), texts)


PLANS: dict[str, Callable[[Size, int], Plan]] = {"sysu": sysu, "regdb": regdb, "llcm": llcm}


def divide(people: Iterable[int], number: int, rng: Generator) -> tuple[list[int], list[int]]:
    """Splits the people into `number` drawn at random and the rest, both sorted. Near twins stay together.

    If everyone has a twin, an odd `number` is impossible and one person fewer is drawn, but at least one pair.
    """
    families: dict[int, list[int]] = {}
    for person in sorted(people):
        families.setdefault(family(person), []).append(person)
    groups = list(families.values())
    order = [groups[i] for i in rng.permutation(len(groups))]
    singles = [group for group in order if len(group) == 1]
    if singles:  # one comes first, so that the part can be divided again; one last, to fill a place too small for a pair
        order.sort(key=lambda group: (group is not singles[0]) + 2 * (group is singles[-1]))
    chosen = []
    for group in order:
        if len(chosen) + len(group) <= number:
            chosen += group
    chosen = chosen or order[0]
    return sorted(chosen), sorted(set(people) - set(chosen))


def _train_and_test(size: Size, seed: int) -> tuple[list[int], list[int]]:
    """Training and test identities: the people of the first worlds and of the others, or a random split of a single world."""
    everyone = range(1, size.identities + 1)
    if size.worlds > 1:
        return list(everyone[: size.train]), list(everyone[size.train :])
    return divide(everyone, size.train, stream(CORPUS, SPLIT, 0, seed))


def _sysu_pairs(people: list[int], rng: Generator) -> list[tuple[int, int]]:
    """(identity, camera) pairs with images: at least two visible cameras and one infrared camera per identity."""
    candidates = [(identity, int(camera)) for identity in people for camera in rng.permutation([1, 2, 4, 5])[:2]]
    number = round(SYSU_GAPS * 4 * len(people))
    gaps = {candidates[k] for k in rng.permutation(len(candidates))[:number]}
    gaps |= {(identity, (3, 6)[between(rng, 0, 1)]) for identity in people if between(rng, 0, 3) == 0}
    return [(identity, camera) for identity in people for camera in range(1, 7) if (identity, camera) not in gaps]


def _llcm_cameras(identity: int, seed: int) -> list[int]:
    """The four to six of nine cameras that an identity passes."""
    rng = stream(CORPUS, CAMERAS, identity, seed)
    return sorted((rng.permutation(9)[: between(rng, 4, 6)] + 1).tolist())


def _llcm_names(identity: int, camera: int, short: str, seed: int, images: int) -> list[str]:
    """{ID}_c{camera}_s{time of day}_f{frame}_{vis|nir}.jpg; walks have increasing times (until midnight) and frames."""
    rng = stream(CORPUS, FRAMES, identity, camera, ("vis", "nir").index(short), seed)
    time, names = between(rng, 18 * 3600, 21 * 3600), []
    while len(names) < images:
        clock = f"{time // 3600:02d}{time // 60 % 60:02d}{time % 60:02d}"
        start, step = between(rng, 100, 4000), between(rng, 5, 60)
        frames = range(start, start + step * min(TRACK_LENGTH, images - len(names)), step)
        names += [f"{identity:04d}_c{camera:02d}_s{clock}_f{frame:04d}_{short}.jpg" for frame in frames]
        time = (time + between(rng, 30, 240)) % DAY  # 200 walks, the maximum, take less than a day
    return names


def _comma_separated(identities: list[int]) -> str:
    return ",".join(map(str, identities)) + "\n"
