"""The parameters of a synthetic corpus, and the content of each of its files as a pure function of them."""

import colorsys
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from numbers import Integral, Real

from PIL import Image

from synthpeople.drawing import DRAWING, LEVELS, PARTS, Drawn, attributes, difficulty_of, draw
from synthpeople.plans import PLANS, Plan, Shot
from synthpeople.sizes import FEWEST, FULL, REGDB_IMAGES, Size, train_of_worlds, world_of

ATTRIBUTES, MASKS, PARTS_TABLE = "attributes.csv", "masks", "masks/parts.json"
IDENTITIES, IMAGES = 100, 4  # defaults
NEAR, THERMAL, MIXED = "near", "thermal", "mixed"
CHOICES = {
    "layout": tuple(PLANS),
    "difficulty": LEVELS,
    "masks": (False, True),
    "full": (False, True),
    "infrared": (NEAR, THERMAL, MIXED),
}
MOST = 200_000  # identities × images per camera; the originals have about fifty thousand images in all
# larger images would show no more detail of a person, and their backgrounds would exhaust the memory of a small machine
LIMITS = {
    "identities": (FEWEST, 9999),
    "seed": (0, 2**63 - 1),
    "images": (1, 999),
    "height": (48, 768),
    "width": (16, 384),
    "worlds": (1, 500),
    "test_images": (1, 999),
}
EVERY = 3  # every third world of a mixed corpus is thermal
# parameters added later and their defaults, which corpus.json omits as it did before they existed
LATER = {"worlds": 1, "infrared": NEAR, "test_images": None}


@dataclass(frozen=True)
class Corpus:
    """Everything that determines the bytes of a corpus. Errors: ValueError for invalid values.

    The identities are divided into worlds, blocks of people who share places and cameras; world w is drawn from seed + w.
    None stands for the default. `images` stays None in a full corpus, whose tracks differ in length; `test_images` stays None
    if test tracks are as long as the others.
    """

    layout: str
    identities: int | None = None
    seed: int = 0
    images: int | None = None
    train_share: float | None = None
    height: int = 192
    width: int = 72
    difficulty: str = "standard"
    masks: bool = False
    full: bool = False
    drawing: int = DRAWING
    worlds: int = 1
    infrared: str = NEAR
    test_images: int | None = None

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices or (False in choices and not isinstance(getattr(self, name), bool)):
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(map(str, choices))}")
        if self.train_share is not None and self.layout == "regdb":
            raise ValueError(f"train_share is {self.train_share}, but RegDB's trials halve the identities; leave it out")
        if self.infrared != NEAR and self.layout == "regdb":
            raise ValueError(f"infrared is {self.infrared!r}, but RegDB's infrared images are thermal already; leave it out")
        if self.test_images is not None and (self.full or self.layout == "regdb"):
            kind = "a full corpus" if self.full else "RegDB"
            raise ValueError(f"test_images is {self.test_images}, but {kind} has the original's; leave it out")
        for name, value in self._defaults().items():
            given = getattr(self, name)
            if self.full and given not in (None, value):
                original = "as many as the original, spread unevenly" if value is None else f"the original's {value}"
                raise ValueError(f"{name} is {given!r}, but a full corpus has {original}; leave out {name} or full")
            if given is None or (self.layout, name) == ("regdb", "images"):
                object.__setattr__(self, name, value)
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if value is None:  # images of a full corpus, or test_images by default
                continue
            if not isinstance(value, Integral) or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}, expected a whole number from {low} to {high}")
            object.__setattr__(self, name, int(value))
        if (shots := self.identities * max(self.images or 1, self.test_images or 1)) > MOST:
            raise ValueError(f"identities × images is {shots:,}, expected at most {MOST:,}")
        if not isinstance(self.train_share, Real) or not 0 < self.train_share < 1:
            raise ValueError(f"train_share is {self.train_share!r}, expected a number between 0 and 1")
        object.__setattr__(self, "train_share", float(self.train_share))
        self._check_worlds()

    def _check_worlds(self) -> None:
        if self.identities < FEWEST * self.worlds:
            needed = f"at least {FEWEST * self.worlds}, {FEWEST} for each of {self.worlds} worlds"
            raise ValueError(f"identities is {self.identities}, expected {needed}")
        if self.seed > (last := LIMITS["seed"][1] - self.worlds + 1):
            raise ValueError(f"seed is {self.seed}, expected at most {last} for {self.worlds} worlds")
        if self.infrared == MIXED and self.worlds < EVERY:
            raise ValueError(f"worlds is {self.worlds}, expected at least {EVERY} for mixed infrared, every third being thermal")

    def _defaults(self) -> dict[str, int | float | None]:
        original = FULL[self.layout]
        images = REGDB_IMAGES if self.layout == "regdb" else None if self.full else IMAGES
        identities = original.identities if self.full else IDENTITIES
        return {"identities": identities, "images": images, "train_share": original.train / original.identities}

    @property
    def size(self) -> Size:
        """The numbers of people and images, with at least two training and two test identities."""
        train = min(max(2, round(self.train_share * self.identities)), self.identities - 2)
        size = FULL[self.layout] if self.full else Size(self.identities, train, self.images, test_images=self.test_images)
        if self.worlds > 1:
            train = train_of_worlds(self.identities, self.worlds, self.train_share)
            size = replace(size, train=train, worlds=self.worlds)
        return size

    @property
    def seeds(self) -> range:
        """The seeds of the worlds: a corpus with one of these seeds has the same people and places."""
        return range(self.seed, self.seed + self.worlds)

    def seed_of(self, identity: int) -> int:
        """The seed of an identity's world."""
        return self.seed + world_of(identity, self.identities, self.worlds)

    def kind(self, shot: Shot) -> tuple[str, bool, bool]:
        """What the effect of `infrared` and `difficulty` depends on; checking one shot of each kind is enough."""
        world = world_of(shot.identity, self.identities, self.worlds)
        return shot.modality, world % EVERY == EVERY - 1, (self.seed + world) % 2 == 1

    @property
    def mark(self) -> dict[str, object]:
        """The content of corpus.json: all parameters but those in LATER that have their defaults, so old files stay the same."""
        return {name: value for name, value in asdict(self).items() if name not in LATER or value != LATER[name]}

    def plan(self) -> Plan:
        """Images and text files, including attributes.csv."""
        plan = PLANS[self.layout](self.size, self.seed)
        texts = {**plan.texts, ATTRIBUTES: self._table()}
        if self.masks:
            texts[PARTS_TABLE] = json.dumps(dict(enumerate(PARTS)), indent=1) + "\n"
        if self.infrared == NEAR:
            return Plan(plan.shots, texts)
        return Plan(tuple(self._as_seen(shot) for shot in plan.shots), texts)

    def _as_seen(self, shot: Shot) -> Shot:
        modality, third, _ = self.kind(shot)
        return replace(shot, modality="thermal") if modality == "infrared" and (third or self.infrared == THERMAL) else shot

    def drawn(self, shot: Shot) -> Drawn:
        """The pixels and parts of a shot of the plan, drawn in the world of its identity."""
        who = (self.seed_of(shot.identity), shot.identity, shot.camera, shot.modality, shot.index)
        return draw(*who, self.height, self.width, self.difficulty)

    def paths(self, shot: Shot) -> Iterator[str]:
        """The files of a shot: its image, and its mask if the corpus has masks."""
        yield shot.path
        if self.masks:
            yield f"{MASKS}/{shot.path.rpartition('.')[0]}.png"

    def files(self, shot: Shot) -> dict[str, bytes]:
        """The files of a shot by path, as JPEG or BMP by file name. They depend only on the corpus and the shot."""
        drawn = self.drawn(shot)
        form = {"format": "BMP"} if shot.path.endswith(".bmp") else {"format": "JPEG", "quality": drawn.quality, "subsampling": 0}
        contents = [_encoded(Image.fromarray(drawn.pixels), **form)]
        if self.masks:
            mask = Image.fromarray(drawn.parts)
            mask.putpalette(PALETTE)
            contents.append(_encoded(mask, format="PNG"))
        return dict(zip(self.paths(shot), contents, strict=True))

    def _table(self) -> str:
        table, writer = io.StringIO(), None
        for number in range(1, self.identities + 1):
            row = {"identity": number, **_attributes(self.seed_of(number), number, self.difficulty)}
            if writer is None:
                writer = csv.DictWriter(table, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
        return table.getvalue()


def _attributes(seed: int, number: int, difficulty: str) -> dict[str, str]:
    return attributes(seed, number, difficulty_of(difficulty, seed).twins)


def _palette() -> bytes:
    """One colour per part, black for the background: hues around the circle, alternating light and dark."""
    colours = [colorsys.hsv_to_rgb(k / len(PARTS), 0.55 + 0.35 * (k % 2), 1 - 0.35 * (k % 2)) for k in range(1, len(PARTS))]
    return bytes([0, 0, 0, *(round(255 * channel) for colour in colours for channel in colour)])


PALETTE = _palette()


def _encoded(image: Image.Image, **form) -> bytes:
    file = io.BytesIO()
    image.save(file, **form)
    return file.getvalue()
