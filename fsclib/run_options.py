"""What every notebook asks that looks into finished runs."""

from dataclasses import dataclass

from fsclib import place
from fsclib.config import Config
from fsclib.presets import DATASETS
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

    @property
    def usual(self) -> str:
        """Name of the run that 02_train makes without parameters."""
        return Config(dataset=self.dataset).name
