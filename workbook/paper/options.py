"""The parameters of notebook 09."""

from dataclasses import dataclass

from fsclib.config.names import NAME
from fsclib.config.strict import AUTO, option
from workbook.run_options import RunOptions, each_once

NONE = "none"  # no sweep


@dataclass(frozen=True, kw_only=True)
class PaperOptions(RunOptions):
    """The inputs of a paper. Errors: ConfigError, as in Strict."""

    runs: tuple[str, ...] = option(
        AUTO, "runs, side by side, the main one first; auto: the run that 02_train makes and, if trained, DEEN", form=NAME
    )
    sweep: str = option(
        AUTO, "the ablation, a sweep file or its name, whose runs fill the tables; auto: the one with most finished runs; none"
    )
    seed: int = option(1, "random seed for people, images and intervals", low=0, high=2**31 - 1)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        return problems if "runs" in problems else problems | each_once("runs", self.runs)
