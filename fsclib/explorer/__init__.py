"""A place to explore: choose a run, a query and a similarity, and see whom the network finds, why, and through which spectra.

In JupyterLab with widgets; where nobody watches (papermill, nbconvert) the same call shows the query that it begins with.
"""

from dataclasses import dataclass

from fsclib import runs
from fsclib.config import NAME, Config
from fsclib.explorer.board import explore
from fsclib.explorer.desk import SIMILARITIES
from fsclib.presets import DATASETS
from fsclib.runs import Run
from fsclib.strict import AUTO, Strict, option

__all__ = ["ExplorerOptions", "explore"]


@dataclass(frozen=True, kw_only=True)
class ExplorerOptions(Strict):
    """The parameters of the notebook `explore`. Errors: ConfigError, as in Strict."""

    dataset: str = option("demo", "data set of the runs", choices=DATASETS)
    name: str = option(AUTO, "the run to begin with; auto: that of 02_train", form=NAME)
    similarity: str = option(next(iter(SIMILARITIES)), "what is compared", choices=SIMILARITIES)
    person: int = option(AUTO, "identity of the query to begin with; auto: one drawn at random", low=0, high=2**31 - 1)
    camera: int = option(AUTO, "its camera; auto: the first", low=0, high=2**31 - 1)
    seed: int = option(1, "seed of the drawn queries", low=0, high=2**31 - 1)
    data_root: str = option("", "folder of the data set, if it has moved since the training")
    device: str = option(AUTO, "cpu, cuda or cuda:N; auto: a GPU if there is one")
    workers: int = option(0, "processes that decode images; 0: one a core", low=0, high=1024)

    def run(self) -> Run:
        """The run to begin with. Errors: RunError."""
        name = Config(dataset=self.dataset).name if self.name == AUTO else self.name
        return runs.load(self.dataset, name, data_root=self.data_root, device=self.device, workers=self.workers)

    def start(self) -> dict[str, int | str]:
        """The query to begin with, as `explore` takes it."""
        return {name: getattr(self, name) for name in ("similarity", "person", "camera", "seed")}
