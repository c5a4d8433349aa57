"""Config: all parameters of a run in one frozen, strictly checked record.

A notebook's parameters become `Config(**parameters)`. Parameters that are missing or "auto" come from the presets of the data set,
the scale (paper, small, tiny), the network and the augmentation. Unknown names, wrong types and impossible values are all reported
at once, before any work starts.
"""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from fsclib.config import initial, location, own, presets
from fsclib.config.names import LONGEST, NAME, USUAL
from fsclib.config.presets import AUGMENTATIONS, OPTIMIZERS, SCALES, SCHEDULES
from fsclib.config.registry import BACKBONES, LOSSES, MODULES, NETWORKS, expands
from fsclib.config.specs import DATASETS, REGDB, DatasetSpec
from fsclib.config.strict import AUTO, ConfigError, Strict, checked, named, option, shown

BATCHES = ("global", "per-process")
TIMM = re.compile(r"timm/[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")  # whether there is such a model is checked when a run is prepared


@dataclass(frozen=True, kw_only=True)
class Config(Strict):
    """The parameters of a run, given as keyword arguments; "auto" means the preset's value. Errors: ConfigError, as in Strict."""

    dataset: str = option("demo", f"which data set; or {own.FORMS}", choices=DATASETS)
    data_root: str = option("", "its folder; empty: the default location in data/", recipe=False)
    trial: int = option(1, "which of the ten splits of RegDB, or of one's own data", low=1, high=REGDB.splits)
    strict: bool = option(True, "refuse a data set with broken files instead of skipping and counting them")
    scale: str = option(AUTO, "preset for fields that are auto", choices=SCALES)
    name: str = option(AUTO, "name of the run's folder in results/<dataset>/", recipe=False)

    network: str = option("fsc", "which network", choices=NETWORKS)
    modules: tuple[str, ...] = option(AUTO, "active FSC-Net modules, in order; auto: all", choices=MODULES)
    branches: int = option(AUTO, "views that the expansion of FSC-Net and DEEN adds", low=1, high=2)
    loss: str = option(AUTO, "training loss", choices=LOSSES)
    backbone: str = option(AUTO, "a ResNet of fsclib, or a model of timm as timm/<name>", choices=BACKBONES, form=TIMM)
    stages: int = option(AUTO, "layers of the trunk", low=3, high=4)
    init: str = option(AUTO, f"initial weights: {initial.FORMS}")
    parent: str = option("", "name of a run that this one continues with more epochs")
    height: int = option(AUTO, "image height in pixels, a multiple of 32", low=64, high=1024)
    width: int = option(AUTO, "image width in pixels", low=16, high=1024)

    identities: int = option(AUTO, "P, identities per step", low=2, high=1000)
    images: int = option(AUTO, "K, images per identity and modality in a step", low=1, high=1000)
    batch: str = option(
        "global", "how several devices share a step: P identities split between them, or P on each", choices=BATCHES
    )
    streams: str = option(
        "both", "training images: both modalities, or visible ones only, with pseudo-infrared copies in place of infrared ones",
        choices=("both", "visible"),
    )  # fmt: skip
    epochs: int = option(AUTO, "training epochs; 0: test the initial network", low=0, high=10_000)
    small_epochs: int = option(AUTO, "first epochs, trained on images at two thirds of the height and width", low=0, high=10_000)
    optimizer: str = option(AUTO, "sgd with Nesterov momentum, or adamw (Loshchilov & Hutter, ICLR 2019)", choices=OPTIMIZERS)
    lr: float = option(AUTO, "learning rate of neck and classifier", low=0)
    body_lr: float = option(AUTO, "learning rate of everything else", low=0)
    schedule: str = option(
        AUTO, "step: divided by ten at each epoch of decay; cosine: down to a hundredth (Loshchilov & Hutter, ICLR 2017)",
        choices=SCHEDULES,
    )  # fmt: skip
    warmup: int = option(AUTO, "epochs over which the learning rates rise linearly", low=0, high=10_000)
    warmup_steps: int = option(AUTO, "steps over which the learning rates rise linearly", low=0, high=10_000_000)
    decay: tuple[int, ...] = option(AUTO, "epochs from which the learning rates are divided by ten, once each", low=1, high=10_000)
    momentum: float = option(0.9, "Nesterov momentum of sgd", low=0, high=0.999)
    weight_decay: float = option(AUTO, "weight decay", low=0)
    clip: float = option(AUTO, "gradient norm above which gradients are clipped; 0: no clipping", low=0)
    label_smoothing: float = option(AUTO, "share of the identity loss's target spread over all people", low=0, high=0.9)
    metric_on: str = option(AUTO, "features that triplet losses compare: pooled, or behind the neck", choices=("pooled", "neck"))
    triplet_margin: float = option(0.3, "margin of the batch-hard triplet loss", low=0)
    cpm_margin: float = option(0.2, "margin of centre-guided pair mining", low=0)
    cpm_weight: float = option(AUTO, "weight of centre-guided pair mining", low=0)
    orthogonality_weight: float = option(0.01, "weight of the orthogonality loss (the DEEN paper reports its best at 0.1)", low=0)
    ramp_from: int = option(AUTO, "step from which pair mining and orthogonality are ramped in", low=0, high=10_000_000)
    ramp_steps: int = option(AUTO, "steps over which they rise to their full weights", low=0, high=10_000_000)
    infonce_weight: float = option(AUTO, "weight of InfoNCE across modalities, behind the neck (arXiv 1807.03748)", low=0)
    temperature: float = option(0.1, "temperature of InfoNCE", low=1e-3, high=100)
    attributes_weight: float = option(
        AUTO, "weight of person attributes as additional targets, for synthetic people (Lin et al., PR 2019)", low=0
    )
    augmentation: str = option(
        AUTO, "preset of grayscale, channel, pseudo_infrared, amplitude_swap, jitter and erase", choices=AUGMENTATIONS
    )
    padding: int = option(AUTO, "black pixels around an image before it is cropped at random", low=0, high=100)
    grayscale: float = option(AUTO, "probability that an image loses its colours", low=0, high=1)
    channel: float = option(AUTO, "probability that a visible image keeps one channel (Ye et al., ICCV 2021)", low=0, high=1)
    pseudo_infrared: float = option(AUTO, "probability that a visible image becomes a pseudo-infrared one", low=0, high=1)
    amplitude_swap: float = option(
        AUTO, "probability that an image gets the amplitude spectrum of the other modality's image (Xu et al., CVPR 2021)",
        low=0, high=1,
    )  # fmt: skip
    jitter: float = option(AUTO, "largest relative change of an image's brightness and contrast", low=0, high=0.9)
    erase: float = option(AUTO, "probability that a rectangle of an image is erased", low=0, high=1)
    erase_min: float = option(AUTO, "smallest share of an image that random erasing covers", low=0, high=1)
    erase_max: float = option(AUTO, "largest share of an image that random erasing covers", low=0, high=1)
    seed: int = option(0, "seed of all random numbers", low=0, high=2**31 - 1)

    select_on: str = option(AUTO, "how the best checkpoint is chosen", choices=("last", "holdout", "test"))
    validate_every: int = option(AUTO, "epochs between validations, if select_on needs them", low=1, high=10_000)
    precision: str = option(
        AUTO, "precision of network and gradients; auto: the device's", choices=("float32", "bfloat16"), recipe=False
    )  # not in the recipe: the environment records the value that "auto" resolved to, and resuming requires the same
    device: str = option(AUTO, "torch device; auto: a GPU if there is one", recipe=False)
    workers: int = option(0, "processes that decode images; 0: one per core", low=0, high=1024, recipe=False)
    devices: int = option(1, "processes that train together on this machine, one GPU each", low=1, high=1024, recipe=False)
    resume: bool = option(True, "resume an unfinished run of this name; False: move it aside and start again", recipe=False)

    def __post_init__(self) -> None:
        unknown = own.adopt(self)
        problems = self._check_fields() | unknown
        for name, value in presets.preset(self.dataset, self.network, self.scale, self.augmentation).items():
            if getattr(self, name) == AUTO:
                object.__setattr__(self, name, value)
        contradictions = [problem for names, problem in _contradictions(self) if not problems.keys() & names]
        if problems or contradictions:
            raise ConfigError([*problems.values(), *contradictions])
        if self.data_root:  # config.json does not record the working directory, so the path must be absolute
            object.__setattr__(self, "data_root", location.absolute(self.data_root))
        object.__setattr__(self, "init", initial.absolute(self.init))
        if self.name == AUTO:
            object.__setattr__(self, "name", self._usual_name())

    def _usual_name(self) -> str:
        if self.parent:
            return f"{self.parent[: LONGEST - 20]}-epochs{self.epochs}"
        return f"{self.network}-{self.scale}-seed{self.seed}{self.spec.suffix(self.trial)}"

    @property
    def spec(self) -> DatasetSpec:
        """The facts of the data set."""
        return DATASETS[self.dataset]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for config.json, with all presets filled in."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    def recipe(self) -> dict[str, Any]:
        """The fields that determine the results, without those that only say where and how to run."""
        values = self.to_dict()
        return {name: values[name] for name in RECIPE}

    def departures(self) -> dict[str, Any]:
        """The fields of the recipe that differ from the presets of its data set, scale and network.

        Of another augmentation than theirs, the augmentation itself, and the fields that differ from its presets.
        """
        chosen = {name: getattr(self, name) for name in ("dataset", "scale", "network", "trial", "seed")}
        changed = {"augmentation": self.augmentation} if self.augmentation != Config(**chosen).augmentation else {}
        usual = Config(**chosen | changed).recipe()
        return changed | {name: value for name, value in self.recipe().items() if value != usual[name]}


RECIPE = {f.name: f for f in dataclasses.fields(Config) if f.metadata["recipe"]}  # the fields that determine the results


def parsed(name: str, value: Any) -> tuple[Any, str]:
    """A value in the type of a field of the recipe, and the problem with it, "" if there is none."""
    return checked(RECIPE[name], get_type_hints(Config)[name], value)


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The fields in which two recipes differ, `found` first, as "epochs: 5 vs 10"."""
    names = sorted({*found, *wanted})
    return [f"{named(n)}: {found.get(n)!r} vs {wanted.get(n)!r}" for n in names if found.get(n) != wanted.get(n)]


def parameters_of(name: str, dataset: str) -> dict[str, Any]:
    """The parameters that give a run of a data set this name: network, scale, seed and trial if it is automatic, else the name."""
    found = USUAL.fullmatch(name)
    given = {key: value for key, value in found.groupdict().items() if value} if found else {}
    values: dict[str, Any] = {key: int(value) if value.isdecimal() else value for key, value in given.items()}
    with contextlib.suppress(ConfigError):
        if values and Config(dataset=dataset, **values).name == name:
            return values
    return {"name": name}


def undivided(config: Config, processes: int, name: str = "devices") -> str:
    """Why this many processes cannot train this configuration together, "" if they can. name: the parameter that sets them."""
    if config.batch == "per-process" or config.identities % processes == 0:
        return ""
    fix = "change one of the two numbers, or use batch=per-process"
    return f"{name}: found {processes}, expected a divisor of {config.identities}, the number of identities per step; {fix}"


def _contradictions(config: Config) -> Iterator[tuple[set[str], str]]:
    """Conflicts between fields, as (fields involved, message) pairs."""
    if config.height % 32:
        why = "because the position non-local blocks halve each map"
        yield {"height"}, f"height: found {config.height}, expected a multiple of 32, {why}"
    if len(set(config.modules)) != len(config.modules):
        yield {"modules"}, f"modules: found {config.modules}, expected each at most once"
    if config.modules and (config.network == "deen" or not expands(config.network)):
        fix = "leave them out or use network 'fsc'"
        yield {"modules", "network"}, f"modules: found {config.modules} with network {config.network!r}, which has none; {fix}"
    if config.branches != 2 and not expands(config.network):
        fix = "leave them out or use network 'fsc' or 'deen'"
        yield {"branches", "network"}, f"branches: found {config.branches} with network {config.network!r}, which has none; {fix}"
    if config.network == "agw" and config.stages != 4:
        yield {"stages", "network"}, f"stages: found {config.stages} with network 'agw', expected 4, as on every data set"
    if config.network == "bdtr" and config.loss != "bdtr":
        fix = "leave the loss out, or use network 'twostream', which is the same network"
        yield {"loss", "network"}, f"loss: found {config.loss!r} with network 'bdtr', which is defined by its loss; {fix}"
    if config.network == "zeropad" and config.backbone not in BACKBONES.own:
        expected = f"one of {', '.join(BACKBONES.own)}: stems of other packages have three input channels, zeropad needs two"
        yield {"backbone", "network"}, f"backbone: found {config.backbone!r} with network 'zeropad', expected {expected}"
    if config.amplitude_swap and config.streams == "visible":
        fix = "set it to 0, or use streams=both"
        problem = f"amplitude_swap: found {config.amplitude_swap} with streams=visible, which has no infrared images; {fix}"
        yield {"amplitude_swap", "streams"}, problem
    if list(config.decay) != sorted(set(config.decay)):
        yield {"decay"}, f"decay: found {config.decay}, expected epochs in ascending order"
    if config.erase_min > config.erase_max:
        problem = f"erase_min: found {config.erase_min}, above erase_max, which is {config.erase_max}; change one of the two"
        yield {"erase_min", "erase_max", "dataset"}, problem
    if config.name != AUTO and not NAME.fullmatch(config.name):
        expected = "1 to 100 letters, digits, dots, dashes and underscores, not starting with a dot or dash, and not a path"
        yield {"name"}, f"name: found {shown(config.name)}, expected {expected}"
    if problem := config.spec.trial_problem(config.trial):
        yield {"trial", "dataset"}, f"trial: {problem}"
    if problem := initial.problem(config.init):
        yield {"init"}, f"init: {problem}"
    if config.parent and not NAME.fullmatch(config.parent):
        yield {"parent"}, f"parent: found {shown(config.parent)}, expected the name of a run of the same data set"
    if config.parent and config.parent == config.name:
        yield {"parent", "name"}, f"parent: found {config.parent!r}, the name of this run itself; give it another name"
    if problem := undivided(config, config.devices):
        yield {"identities", "devices", "batch"}, problem
    if config.devices > 1 and ":" in config.device:
        yield {"devices", "device"}, f"device: found {config.device!r} for {config.devices} processes, expected auto, cpu or cuda"
    for name, problem in location.problems(config.data_root, config.device):
        yield {name}, problem
