"""The explorer: choose a run, a query and a similarity, and see what the network retrieves, why, and the query's spectra.

JupyterLab shows widgets; without an interactive front end (papermill, nbconvert) the same call shows the first query only.
"""

from dataclasses import dataclass

from fsclib.config.names import OPENED
from fsclib.config.strict import AUTO, option
from fsclib.runs import Run
from workbook.explorer.session import SIMILARITIES
from workbook.explorer.widgets import explore
from workbook.run_options import RunOptions

__all__ = ["ExplorerOptions", "explore"]


@dataclass(frozen=True, kw_only=True)
class ExplorerOptions(RunOptions):
    """The parameters of the notebook `explore`. Errors: ConfigError, as in Strict."""

    name: str = option(AUTO, "the first run to show, or a shipped network; auto: the run that 02_train makes", form=OPENED)
    similarity: str = option(next(iter(SIMILARITIES)), "features to compare", choices=SIMILARITIES)
    person: int = option(AUTO, "identity of the first query; auto: one drawn at random", low=0, high=2**31 - 1)
    camera: int = option(AUTO, "camera of the first query; auto: the first camera", low=0, high=2**31 - 1)
    seed: int = option(1, "random seed for queries", low=0, high=2**31 - 1)

    def run(self) -> Run:
        """Opens the first run. Errors: RunError."""
        return self.open(self.name)

    def start(self) -> dict[str, int | str]:
        """The first query, as keyword arguments of `explore`."""
        return {name: getattr(self, name) for name in ("similarity", "person", "camera", "seed")}
