"""Config: every number of a run in one frozen, strict record.

A notebook's parameters become `Config(**parameters)`. What is not given, or given as "auto", comes from the presets of the data
set, the scale (paper, small, tiny) and the network. Unknown names, wrong types and impossible values are refused together, before
any work.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fsclib import extensions, place, presets
from fsclib.losses import LOSSES
from fsclib.models.backbone import BACKBONES
from fsclib.models.fsc import MODULES
from fsclib.models.networks import NETWORKS, FSCNet
from fsclib.presets import DATASETS, OPTIMIZERS, SCALES, SCHEDULES
from fsclib.strict import AUTO, ConfigError, Strict, named, option, shown

LONGEST = 100  # characters of a run's name
NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")  # never a path, and plain text to LaTeX, HTML and shells alike
SHIPPED = re.compile(r"people/[a-z0-9]+")  # networks of ours, in place of a run's name
OPENED = re.compile(rf"{NAME.pattern}|{SHIPPED.pattern}")
BATCHES = ("global", "per-rank")
START = re.compile(rf"none|imagenet|people|{SHIPPED.pattern}|({'|'.join(DATASETS)})/{NAME.pattern}")


@dataclass(frozen=True, kw_only=True)
class Config(Strict):
    """What a run is. Construct with keyword arguments; "auto" stands for the preset's value. Errors: ConfigError, as in Strict."""

    dataset: str = option("demo", "which data set", choices=DATASETS)
    data_root: str = option("", "its folder; empty: the usual place below data/", recipe=False)
    trial: int = option(1, "which of RegDB's ten splits", low=1, high=10)
    strict: bool = option(True, "refuse a data set with broken files, rather than leave them out and count them")
    scale: str = option(AUTO, "which preset fills what is auto", choices=SCALES)
    name: str = option(AUTO, "name of the run's folder below results/<dataset>/", recipe=False)

    network: str = option("fsc", "which network", choices=NETWORKS)
    modules: tuple[str, ...] = option(AUTO, "FSC-Net's modules that are on, in their order; auto: all", choices=MODULES)
    branches: int = option(AUTO, "views that the expansion of FSC-Net and DEEN adds", low=1, high=2)
    loss: str = option(AUTO, "what is minimised", choices=LOSSES)
    backbone: str = option(AUTO, "which ResNet", choices=BACKBONES)
    stages: int = option(AUTO, "layers of the trunk", low=3, high=4)
    pretrained: str = option(
        AUTO, "where the weights start: none, imagenet, people (ours, of synthetic people) or a run as <dataset>/<name>", form=START
    )
    height: int = option(AUTO, "image height in pixels, a multiple of 32", low=64, high=1024)
    width: int = option(AUTO, "image width in pixels", low=16, high=1024)

    identities: int = option(AUTO, "P, identities a step", low=2, high=1000)
    images: int = option(AUTO, "K, images of an identity and modality a step", low=1, high=1000)
    batch: str = option(
        "global", "what several devices see in a step: the same P identities between them, or P each", choices=BATCHES
    )
    streams: str = option(
        "both", "which images train: both modalities, or visible ones alone, with pseudo-infrared copies of them for infrared ones",
        choices=("both", "visible"),
    )  # fmt: skip
    epochs: int = option(AUTO, "training epochs; 0: tested as it starts", low=0, high=10_000)
    small_epochs: int = option(AUTO, "first epochs, trained on images of two thirds the height and width", low=0, high=10_000)
    optimizer: str = option(AUTO, "sgd with Nesterov momentum, or adamw (Loshchilov & Hutter, ICLR 2019)", choices=OPTIMIZERS)
    lr: float = option(AUTO, "learning rate of neck and classifier", low=0)
    body_lr: float = option(AUTO, "learning rate of everything else", low=0)
    schedule: str = option(
        AUTO, "step: divided by ten at each epoch of decay; cosine: down to a hundredth (Loshchilov & Hutter, ICLR 2017)",
        choices=SCHEDULES,
    )  # fmt: skip
    warmup: int = option(AUTO, "epochs over which the learning rates rise linearly", low=0, high=10_000)
    warmup_steps: int = option(AUTO, "steps over which the learning rates rise linearly", low=0, high=10_000_000)
    decay: tuple[int, ...] = option(
        AUTO, "epochs from which the learning rates are divided by ten, once each", low=1, high=10_000
    )
    momentum: float = option(0.9, "Nesterov momentum of sgd", low=0, high=0.999)
    weight_decay: float = option(AUTO, "weight decay", low=0)
    clip: float = option(AUTO, "largest norm of the gradient, longer ones are shortened to it; 0: any", low=0)
    label_smoothing: float = option(AUTO, "share of the identity loss's target spread over all people", low=0, high=0.9)
    metric_on: str = option(AUTO, "features that triplet losses compare: pooled, or behind the neck", choices=("pooled", "neck"))
    triplet_margin: float = option(0.3, "margin of the batch-hard triplet loss", low=0)
    cpm_margin: float = option(0.2, "margin of centre-guided pair mining", low=0)
    cpm_weight: float = option(AUTO, "weight of centre-guided pair mining", low=0)
    orthogonality_weight: float = option(0.01, "weight of the orthogonality loss (the DEEN paper reports its best at 0.1)", low=0)
    ramp_from: int = option(AUTO, "step from which pair mining and orthogonality are ramped in", low=0, high=10_000_000)
    ramp_steps: int = option(AUTO, "steps over which they rise to their weights", low=0, high=10_000_000)
    infonce_weight: float = option(AUTO, "weight of InfoNCE across modalities, behind the neck (arXiv 1807.03748)", low=0)
    temperature: float = option(0.1, "temperature of InfoNCE", low=1e-3, high=100)
    attributes_weight: float = option(
        AUTO, "weight of people's attributes as further targets; synthetic people have them (Lin et al., PR 2019)", low=0
    )
    padding: int = option(AUTO, "black pixels around an image before it is cropped at random", low=0, high=100)
    grayscale: float = option(AUTO, "probability that an image loses its colours", low=0, high=1)
    channel: float = option(AUTO, "probability that a visible image keeps one channel (Ye et al., ICCV 2021)", low=0, high=1)
    pseudo_infrared: float = option(AUTO, "probability that a visible image becomes a pseudo-infrared one", low=0, high=1)
    jitter: float = option(AUTO, "most that brightness and contrast of an image change, as a share", low=0, high=0.9)
    erase: float = option(AUTO, "probability that a rectangle of an image is erased", low=0, high=1)
    erase_min: float = option(AUTO, "smallest share of an image that random erasing covers", low=0, high=1)
    erase_max: float = option(AUTO, "largest share of an image that random erasing covers", low=0, high=1)
    seed: int = option(0, "seed of everything random", low=0, high=2**31 - 1)

    select_on: str = option(AUTO, "what chooses the best checkpoint", choices=("last", "holdout", "test"))
    validate_every: int = option(AUTO, "epochs between validations, where select_on asks for any", low=1, high=10_000)
    precision: str = option(
        AUTO, "arithmetic of network and gradients; auto: the device's", choices=("float32", "bfloat16"), recipe=False
    )  # outside the recipe because a run is held to what "auto" came to: its environment names it
    device: str = option(AUTO, "torch device; auto: a GPU if there is one", recipe=False)
    workers: int = option(0, "processes that decode images; 0: one a core", low=0, high=1024, recipe=False)
    devices: int = option(1, "processes that train together on this machine, a GPU each", low=1, high=1024, recipe=False)
    resume: bool = option(True, "go on with an unfinished run of this name; False: move it aside and begin anew", recipe=False)

    def __post_init__(self):
        extensions.load()  # networks, modules and losses of installed packages are choices too
        if isinstance(self.pretrained, bool):  # what it was before there were several weights to start from
            object.__setattr__(self, "pretrained", "imagenet" if self.pretrained else "none")
        problems = self._check_fields()
        for name, value in presets.preset(self.dataset, self.network, self.scale).items():
            if getattr(self, name) == AUTO:
                object.__setattr__(self, name, value)
        contradictions = [problem for names, problem in _contradictions(self) if not problems.keys() & names]
        if problems or contradictions:
            raise ConfigError([*problems.values(), *contradictions])
        if self.data_root:  # relative to where the run was started, which config.json does not know
            object.__setattr__(self, "data_root", place.absolute(self.data_root))
        if self.name == AUTO:
            trial = f"-trial{self.trial}" if self.dataset == "regdb" else ""
            object.__setattr__(self, "name", f"{self.network}-{self.scale}-seed{self.seed}{trial}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for config.json, every preset filled in."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    def recipe(self) -> dict[str, Any]:
        """The fields that decide the numbers, without those that only say where and how to run."""
        values = self.to_dict()
        return {f.name: values[f.name] for f in dataclasses.fields(self) if f.metadata["recipe"]}

    def departures(self) -> dict[str, Any]:
        """The fields of the recipe that are not what the presets of its data set, scale and network say."""
        chosen = {name: getattr(self, name) for name in ("dataset", "scale", "network", "trial", "seed")}
        usual = Config(**chosen).recipe()
        return {name: value for name, value in self.recipe().items() if value != usual[name]}


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The fields in which two recipes differ, as "epochs: 5 there, 10 here"."""
    names = sorted({*found, *wanted})
    return [f"{named(n)}: {found.get(n)!r} there, {wanted.get(n)!r} here" for n in names if found.get(n) != wanted.get(n)]


def undivided(config: Config, ranks: int, name: str = "devices") -> str:
    """Why so many processes, which `name` stands for, cannot train this together; "" if they can."""
    if config.batch == "per-rank" or config.identities % ranks == 0:
        return ""
    mend = "choose other numbers of either, or batch=per-rank"
    return f"{name}: found {ranks}, expected a number that divides the {config.identities} identities of a step; {mend}"


def _contradictions(config: Config) -> Iterator[tuple[set[str], str]]:
    """What no field shows alone: the fields that have a part in it, and the problem."""
    if config.height % 32:
        why = "so that the position non-local blocks can halve each map"
        yield {"height"}, f"height: found {config.height}, expected a multiple of 32, {why}"
    if len(set(config.modules)) != len(config.modules):
        yield {"modules"}, f"modules: found {config.modules}, expected each at most once"
    network = NETWORKS[config.network]
    if config.modules and (config.network == "deen" or not issubclass(network, FSCNet)):
        mend = "leave them out or use network 'fsc'"
        yield {"modules", "network"}, f"modules: found {config.modules} with network {config.network!r}, which has none; {mend}"
    if config.branches != 2 and not issubclass(network, FSCNet):
        mend = "leave them out or use network 'fsc' or 'deen'"
        yield {"branches", "network"}, f"branches: found {config.branches} with network {config.network!r}, which has none; {mend}"
    if config.network == "agw" and config.stages != 4:
        yield {"stages", "network"}, f"stages: found {config.stages} with network 'agw', expected 4, which it has on every data set"
    if list(config.decay) != sorted(set(config.decay)):
        yield {"decay"}, f"decay: found {config.decay}, expected rising epochs"
    if config.erase_min > config.erase_max:
        problem = f"erase_min: found {config.erase_min}, expected at most erase_max, which is {config.erase_max}"
        yield {"erase_min", "erase_max", "dataset"}, problem
    if config.name != AUTO and not NAME.fullmatch(config.name):
        expected = "1 to 100 letters, digits, dots, dashes and underscores, no dot or dash first, not a path"
        yield {"name"}, f"name: found {shown(config.name)}, expected {expected}"
    if config.trial != 1 and config.dataset != "regdb":
        yield {"trial", "dataset"}, f"trial: found {config.trial}, expected 1: only RegDB has training splits"
    if problem := undivided(config, config.devices):
        yield {"identities", "devices", "batch"}, problem
    if config.devices > 1 and ":" in config.device:
        yield {"devices", "device"}, f"device: found {config.device!r} for {config.devices} processes, expected auto, cpu or cuda"
    for name, problem in place.problems(config.data_root, config.device):
        yield {name}, problem
