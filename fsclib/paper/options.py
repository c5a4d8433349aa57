"""The parameters of notebook 09."""

from dataclasses import dataclass

from fsclib.config import NAME
from fsclib.presets import DATASETS
from fsclib.strict import AUTO, Strict, option

NONE = "none"  # no sweep


@dataclass(frozen=True, kw_only=True)
class PaperOptions(Strict):
    """What a paper is made from. Errors: ConfigError, as in Strict."""

    dataset: str = option("demo", "data set of the runs", choices=DATASETS)
    runs: tuple[str, ...] = option(
        AUTO, "runs, side by side, the first in front; auto: 02_train's own, and, if trained, DEEN", form=NAME
    )
    sweep: str = option(
        AUTO, "the ablation, whose runs tables then hold: a sweep file or its name; auto: the one with most finished runs; none"
    )
    data_root: str = option("", "folder of the data set, if it has moved since the training")
    device: str = option(AUTO, "cpu, cuda or cuda:N; auto: a GPU if there is one")
    workers: int = option(0, "processes that decode images; 0: one a core", low=0, high=1024)
    seed: int = option(1, "seed of the drawn people and images, and of the intervals", low=0, high=2**31 - 1)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        if "runs" not in problems and self.runs != AUTO and len(set(self.runs)) != max(1, len(self.runs)):
            problems["runs"] = f"runs: found {', '.join(self.runs) or 'none'}, expected one run or more, each once"
        return problems

    @property
    def here(self) -> dict[str, str | int]:
        """Where the data lie and what a run is used on, for runs.load and the options of other notebooks."""
        return {"data_root": self.data_root, "device": self.device, "workers": self.workers}
