"""The data sets: one DatasetSpec each, from which all other code takes the facts of a data set.

Other packages add data sets like networks (see registry): DATASETS["twin"] = replace(LLCM, title="Twin", …).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Protocol:
    """A retrieval protocol: the queries and the galleries of a test.

    mode: a key of DatasetSpec.modes. direction: "vis2ir" (visible queries) or "ir2vis". scoring: the protocol passed to
    metrics.evaluate, which determines the entries hidden from a query. trials: number of galleries drawn for one model. cameras:
    those from which a gallery is drawn; none: the gallery holds every image. swapped: once drawn, the gallery becomes the queries
    and the queries the gallery. shots: images per identity and camera in a drawn gallery, or all where there are fewer. official:
    the gallery follows the permutations in the data set's folder (data/layouts/permutations.py) instead of a random draw.
    """

    mode: str
    direction: str
    scoring: str
    trials: int = 1
    cameras: tuple[int, ...] = ()
    swapped: bool = False
    shots: int = 1
    official: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, (self.mode, self.direction)))


class Reported(NamedTuple):
    """Numbers that the literature reports for a part of a data set; split "train", "test", or "gallery": that of one trial."""

    split: str
    modality: str
    images: int
    identities: int


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """The facts of a data set.

    title      in prose and captions
    folder     its default folder in data/
    layout     the key of its reader in fsclib.data.datasets.LAYOUTS
    owner      who provides it on a signed request; "": no request needed
    splits     training splits, at most RegDB's ten, each with a model of its own; a run's `trial` is one of them
    cameras    by modality
    protocols  of every test, the default first
    further    protocols tested in addition, in rows of their own; official ones only where the folder holds the permutations
    modes      mode of a protocol → its words in captions
    reported   numbers from the literature; papers and repositories disagree with each other
    preset     fields of a configuration, as in presets
    synthetic  whether the people are synthetic, if a run does not record it
    remedy     what to do about broken files, if the data set can be made again
    """

    title: str
    folder: str
    layout: str
    owner: str = ""
    splits: int = 1
    cameras: Mapping[str, tuple[int, ...]]
    protocols: tuple[Protocol, ...]
    further: tuple[Protocol, ...] = ()
    modes: Mapping[str, str]
    reported: tuple[Reported, ...] = ()
    preset: Mapping[str, Any]
    synthetic: bool = False
    remedy: str = ""

    @property
    def validation(self) -> Protocol:
        """The protocol for validation: the first one from infrared to visible."""
        return next(protocol for protocol in self.protocols if protocol.direction == "ir2vis")

    def caption(self, mode: str) -> str:
        """The data set and a mode of its protocols, as captions name them."""
        return ", ".join(filter(None, (self.title, self.modes[mode])))

    def trial_problem(self, trial: object) -> str:
        """What is wrong with the number of a training split, "" if nothing is."""
        if trial in range(1, self.splits + 1):
            return ""
        expected = f"a whole number from 1 to {self.splits}" if self.splits > 1 else f"1, since {self.title} has a single split"
        return f"found {trial!r}, expected {expected}"

    def suffix(self, trial: int) -> str:
        """The suffix that distinguishes the run folders of the splits: "-trial3", or "" for a data set with a single split."""
        return f"-trial{trial}" if self.splits > 1 else ""


SYSU_ALL = Protocol("all", "ir2vis", "sysu", trials=10, cameras=(1, 2, 4, 5))
SYSU_INDOOR = Protocol("indoor", "ir2vis", "sysu", trials=10, cameras=(1, 2))
SYSU = DatasetSpec(
    title="SYSU-MM01",
    folder="SYSU-MM01",
    layout="sysu",
    owner="Sun Yat-sen University",
    cameras={"visible": (1, 2, 4, 5), "infrared": (3, 6)},
    protocols=(SYSU_ALL, SYSU_INDOOR),
    further=(
        replace(SYSU_ALL, mode="all-multi", shots=10),
        replace(SYSU_INDOOR, mode="indoor-multi", shots=10),
        replace(SYSU_ALL, mode="all-official", official=True),
        replace(SYSU_INDOOR, mode="indoor-official", official=True),
        replace(SYSU_ALL, mode="all-multi-official", shots=10, official=True),
        replace(SYSU_INDOOR, mode="indoor-multi-official", shots=10, official=True),
    ),
    modes={
        "all": "all-search",
        "indoor": "indoor-search",
        "all-multi": "all-search, multi-shot",
        "indoor-multi": "indoor-search, multi-shot",
        "all-official": "all-search, official galleries",
        "indoor-official": "indoor-search, official galleries",
        "all-multi-official": "all-search, multi-shot, official galleries",
        "indoor-multi-official": "indoor-search, multi-shot, official galleries",
    },
    reported=(
        Reported("train", "visible", 22_258, 395),  # train ∪ val
        Reported("train", "infrared", 11_909, 395),
        Reported("test", "infrared", 3_803, 96),
        Reported("gallery", "visible", 301, 96),  # single-shot, in all-search
    ),
    preset={"scale": "paper", "stages": 4, "erase_min": 0.2, "erase_max": 0.8, "select_on": "last"},
)
REGDB = DatasetSpec(
    title="RegDB",
    folder="RegDB",
    layout="regdb",
    owner="Dongguk University",
    splits=10,
    cameras={"visible": (1,), "infrared": (2,)},
    protocols=(Protocol("", "vis2ir", "regdb"), Protocol("", "ir2vis", "regdb")),
    modes={"": ""},
    reported=(
        Reported("train", "visible", 2_060, 206),
        Reported("train", "infrared", 2_060, 206),
        Reported("test", "visible", 2_060, 206),
        Reported("test", "infrared", 2_060, 206),
    ),
    preset={"scale": "paper", "stages": 3, "erase_min": 0.02, "erase_max": 0.4, "select_on": "last"},
)
LLCM_CAMERAS = tuple(range(1, 10))
LLCM = DatasetSpec(
    title="LLCM",
    folder="LLCM",
    layout="llcm",
    owner="Xiamen University",
    cameras={"visible": LLCM_CAMERAS, "infrared": LLCM_CAMERAS},
    protocols=(
        Protocol("paper", "vis2ir", "llcm", trials=10, cameras=LLCM_CAMERAS),
        Protocol("paper", "ir2vis", "llcm", trials=10, cameras=LLCM_CAMERAS),
        Protocol("as-coded", "vis2ir", "llcm", trials=10, cameras=LLCM_CAMERAS, swapped=True),
    ),
    modes={"paper": "protocol of the paper", "as-coded": "as coded in the published program"},
    reported=(
        Reported("train", "visible", 16_946, 713),
        Reported("train", "infrared", 13_975, 713),
        Reported("test", "visible", 8_680, 351),
        Reported("test", "infrared", 7_166, 351),
    ),
    preset={"scale": "paper", "stages": 4, "erase_min": 0.02, "erase_max": 0.4, "select_on": "last"},
)
DEMO = replace(
    LLCM,
    title="demo",
    folder="demo",
    owner="",
    reported=(),
    preset={"scale": "tiny", "stages": 4, "erase_min": 0.02, "erase_max": 0.3, "select_on": "holdout", "attributes_weight": 2.0},
    synthetic=True,
    remedy="python -m workbook.demo creates it; delete the folder first if it exists",
)
DATASETS: dict[str, DatasetSpec] = {"demo": DEMO, "sysu": SYSU, "regdb": REGDB, "llcm": LLCM}
