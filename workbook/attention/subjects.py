"""The runs that notebook 05 shows side by side, opened."""

from dataclasses import dataclass

from fsclib import runs
from fsclib.analysis.attention.subjects import Subject, label_of, open_run
from fsclib.config.names import OPENED
from fsclib.config.strict import AUTO, option
from fsclib.models.weights import TRUNK
from fsclib.runs import RunError
from workbook import shipped
from workbook.run_options import RunOptions, each_once


@dataclass(frozen=True, kw_only=True)
class AttentionOptions(RunOptions):
    """The parameters of notebook 05. Errors: ConfigError, as in Strict."""

    names: tuple[str, ...] = option(
        AUTO,
        "runs or shipped networks, side by side; auto: the run that 02_train makes and, if trained, the same without modules; if "
        "nothing is trained, people/fsc and people/deen",
        form=OPENED,
    )
    people: int = option(4, "people in the pictures, drawn at random", low=1, high=8)
    sample: int = option(60, "images per modality over which maps are compared and shares are averaged", low=2, high=100_000)
    seed: int = option(1, "random seed for people, images and intervals", low=0, high=2**31 - 1)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        return problems if "names" in problems else problems | each_once("names", self.names, "runs, without repeats")


def open_runs(options: AttentionOptions) -> list[Subject]:
    """Opens the runs that the options name; by default the usual run and, if trained, the same recipe without modules (DEEN).

    Errors: RunError for a run that does not exist, or was trained on other images and records than the first.
    """
    names = options.names
    if names == AUTO:
        first = options.open(AUTO)
        ours = ["people/deen"] * bool(shipped.usual(options.dataset, "deen"))
        names = [first.folder.name, *(run.folder.name for run in runs.siblings(first, "modules") if not run.config.modules), *ours]
    found = [options.open(name) for name in names]
    if others := [run.folder.name for run in found if run.environment["data_hash"] != found[0].environment["data_hash"]]:
        raise RunError(
            f"{', '.join(others)}: trained on other images or splits than {names[0]}; name runs trained on the same data"
        )
    labels = [label_of(run.config.network, run.config.modules) for run in found]
    own = [label if labels.count(label) == 1 and name != TRUNK else name for label, name in zip(labels, names, strict=True)]
    return [open_run(run, label) for run, label in zip(found, own, strict=True)]
