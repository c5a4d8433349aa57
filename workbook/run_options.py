"""Options of all notebooks that analyse finished runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from fsclib.config import Config, location, own
from fsclib.config.names import OPENED
from fsclib.config.presets import SCALES
from fsclib.config.specs import DATASETS, REGDB
from fsclib.config.strict import AUTO, Strict, option
from fsclib.models.networks import NETWORKS
from fsclib.runs import Run
from workbook import shipped


@dataclass(frozen=True, kw_only=True)
class RunOptions(Strict):
    """A base class: the data set of the runs, and where to use them, which may differ from where they were trained.

    Errors: ConfigError, as in Strict.
    """

    dataset: str = option("demo", f"data set of the runs; or {own.FORMS}", choices=DATASETS)
    data_root: str = option("", "folder of the data set, if it has moved since the training")
    device: str = option(AUTO, "cpu, cuda, cuda:N or mps; auto: a GPU if there is one")
    workers: int = option(0, "processes that decode images; 0: one per core", low=0, high=1024)

    def _check_fields(self) -> dict[str, str]:
        unknown = own.adopt(self)
        problems = super()._check_fields() | unknown
        problems = dict(location.problems(self.data_root, self.device)) | problems
        if self.data_root and "data_root" not in problems:
            object.__setattr__(self, "data_root", location.absolute(self.data_root))
        return problems

    @property
    def here(self) -> dict[str, str | int]:
        """Arguments for runs.load, and for the options of other notebooks."""
        return {"data_root": self.data_root, "device": self.device, "workers": self.workers}

    def open(self, name: str, trial: int = 1, **naming: str | int) -> Run:
        """Opens a run of the data set. Errors: those of shipped.open_run.

        "people/…" is a shipped network, tested on this data set. "auto" is the run that 02_train makes with `naming` alone; while
        the data set has no run, it is the shipped network of that kind, unless a scale or seed is given.
        """
        if name == AUTO:
            config = Config(dataset=self.dataset, trial=trial, **naming)
            asked = naming.get("scale", AUTO) != AUTO or naming.get("seed", 0) != 0  # the user means a run of their own
            name = config.name
            if not asked and (ours := shipped.usual(self.dataset, config.network)):
                print(f"nothing is trained on {self.dataset} yet: using {ours}, which comes with fsclib", flush=True)
                name = ours
        return shipped.open_run(self.dataset, name, trial=trial, **self.here)


def each_once(field: str, names: str | Sequence[str], expected: str = "one run or more, without repeats") -> dict[str, str]:
    """The problem with a field that names runs, for `_check_fields`: no names, or repeated ones."""
    if names == AUTO or len(set(names)) == max(1, len(names)):
        return {}
    return {field: f"{field}: found {', '.join(names) or 'none'}, expected {expected}"}


@dataclass(frozen=True, kw_only=True)
class NamedRunOptions(RunOptions):
    """A base class: one run by its name, or by the parts of an automatic name. Errors: ConfigError, as in Strict."""

    name: str = option(
        AUTO,
        "name of the run, or a shipped network; auto: built from the following as in 02_train; people/… if nothing is trained",
        form=OPENED,
    )
    network: str = option("fsc", "part of an automatic name", choices=NETWORKS)
    scale: str = option(AUTO, "part of an automatic name", choices=SCALES)
    seed: int = option(0, "part of an automatic name", low=0, high=2**31 - 1)
    trial: int = option(1, "split of RegDB or of one's own data that the run was trained on", low=1, high=REGDB.splits)

    def run(self) -> Run:
        """Opens the run that the options name. Errors: those of shipped.open_run."""
        return self.open(self.name, self.trial, network=self.network, scale=self.scale, seed=self.seed)
