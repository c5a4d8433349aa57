"""What every notebook asks that looks into finished runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from fsclib import place, shipped
from fsclib.config import OPENED, Config
from fsclib.models.networks import NETWORKS
from fsclib.presets import DATASETS, SCALES
from fsclib.runs import Run
from fsclib.strict import AUTO, Strict, option


@dataclass(frozen=True, kw_only=True)
class RunOptions(Strict):
    """Which data set's runs, and what they are used on, which may be elsewhere than where they were trained; to be inherited.

    Errors: ConfigError, as in Strict.
    """

    dataset: str = option("demo", "data set of the runs", choices=DATASETS)
    data_root: str = option("", "folder of the data set, if it has moved since the training")
    device: str = option(AUTO, "cpu, cuda or cuda:N; auto: a GPU if there is one")
    workers: int = option(0, "processes that decode images; 0: one a core", low=0, high=1024)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        problems = dict(place.problems(self.data_root, self.device)) | problems
        if self.data_root and "data_root" not in problems:
            object.__setattr__(self, "data_root", place.absolute(self.data_root))
        return problems

    @property
    def here(self) -> dict[str, str | int]:
        """For runs.load, and for the options of other notebooks."""
        return {"data_root": self.data_root, "device": self.device, "workers": self.workers}

    def open(self, name: str, trial: int = 1, **naming: str | int) -> Run:
        """A run of the data set; "people/…": a network of ours, tested on it; auto: what 02_train makes, given `naming` alone, or
        where the data set has no run yet, the network of ours of that kind, unless a scale or seed is asked for.

        Errors: those of shipped.open_run.
        """
        if name == AUTO:
            config = Config(dataset=self.dataset, trial=trial, **naming)
            asked = naming.get("scale", AUTO) != AUTO or naming.get("seed", 0) != 0  # for a run of one's own
            name = config.name
            if not asked and (ours := shipped.usual(self.dataset, config.network)):
                print(f"nothing is trained on {self.dataset} yet: this is about {ours}, which comes with fsclib", flush=True)
                name = ours
        return shipped.open_run(self.dataset, name, trial=trial, **self.here)


def each_once(field: str, names: str | Sequence[str], expected: str = "one run or more, each once") -> dict[str, str]:
    """What is wrong with runs that a field names, for `_check_fields`: that there are none, or one of them twice."""
    if names == AUTO or len(set(names)) == max(1, len(names)):
        return {}
    return {field: f"{field}: found {', '.join(names) or 'none'}, expected {expected}"}


@dataclass(frozen=True, kw_only=True)
class NamedRunOptions(RunOptions):
    """One run by its name, or by what an automatic name is made of; to be inherited. Errors: ConfigError, as in Strict."""

    name: str = option(
        AUTO,
        "name of the run, or a network of ours; auto: made of the following, as in 02_train; if nothing is trained, people/…",
        form=OPENED,
    )
    network: str = option("fsc", "part of an automatic name", choices=NETWORKS)
    scale: str = option(AUTO, "part of an automatic name", choices=SCALES)
    seed: int = option(0, "part of an automatic name", low=0, high=2**31 - 1)
    trial: int = option(1, "RegDB's split that the run was trained on", low=1, high=10)

    def run(self) -> Run:
        """The run that they name. Errors: those of shipped.open_run."""
        return self.open(self.name, self.trial, network=self.network, scale=self.scale, seed=self.seed)
