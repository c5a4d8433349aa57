"""A place to explore: choose a run, a query and a similarity, and see whom the network finds, why, and through which spectra.

In JupyterLab with widgets; where nobody watches (papermill, nbconvert) the same call shows the query that it begins with.
"""

from dataclasses import dataclass

from fsclib.config import OPENED
from fsclib.explorer.board import explore
from fsclib.explorer.desk import SIMILARITIES
from fsclib.run_options import RunOptions
from fsclib.runs import Run
from fsclib.strict import AUTO, option

__all__ = ["ExplorerOptions", "explore"]


@dataclass(frozen=True, kw_only=True)
class ExplorerOptions(RunOptions):
    """The parameters of the notebook `explore`. Errors: ConfigError, as in Strict."""

    name: str = option(AUTO, "the run to begin with, or a network of ours; auto: what 02_train makes", form=OPENED)
    similarity: str = option(next(iter(SIMILARITIES)), "what is compared", choices=SIMILARITIES)
    person: int = option(AUTO, "identity of the query to begin with; auto: one drawn at random", low=0, high=2**31 - 1)
    camera: int = option(AUTO, "its camera; auto: the first", low=0, high=2**31 - 1)
    seed: int = option(1, "seed of the drawn queries", low=0, high=2**31 - 1)

    def run(self) -> Run:
        """The run to begin with. Errors: RunError."""
        return self.open(self.name)

    def start(self) -> dict[str, int | str]:
        """The query to begin with, as `explore` takes it."""
        return {name: getattr(self, name) for name in ("similarity", "person", "camera", "seed")}
