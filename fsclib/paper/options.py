"""The parameters of notebook 09."""

from dataclasses import dataclass

from fsclib.config import NAME
from fsclib.run_options import RunOptions, each_once
from fsclib.strict import AUTO, option

NONE = "none"  # no sweep


@dataclass(frozen=True, kw_only=True)
class PaperOptions(RunOptions):
    """What a paper is made from. Errors: ConfigError, as in Strict."""

    runs: tuple[str, ...] = option(
        AUTO, "runs, side by side, the first in front; auto: 02_train's own, and, if trained, DEEN", form=NAME
    )
    sweep: str = option(
        AUTO, "the ablation, whose runs tables then hold: a sweep file or its name; auto: the one with most finished runs; none"
    )
    seed: int = option(1, "seed of the drawn people and images, and of the intervals", low=0, high=2**31 - 1)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        return problems if "runs" in problems else problems | each_once("runs", self.runs)
