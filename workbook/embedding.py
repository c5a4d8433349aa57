"""The runs that notebook 07 shows, with the embeddings of their test images."""

from dataclasses import dataclass

from fsclib.analysis.embedding_space.points import COLOURED, Embedded
from fsclib.config.names import OPENED
from fsclib.config.strict import AUTO, option
from fsclib.retrieval import evaluation
from fsclib.runs import RunError
from workbook.run_options import RunOptions, each_once


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions(RunOptions):
    """The parameters of notebook 07. Errors: ConfigError, as in Strict."""

    names: tuple[str, ...] = option(
        AUTO,
        "runs or shipped networks, side by side; the others are compared with the first; auto: the run that 02_train makes",
        form=OPENED,
    )
    people: int = option(COLOURED, "people on the t-SNE map, drawn at random", low=1, high=COLOURED)
    failures: int = option(6, "queries in the failure gallery", low=1, high=50)
    seed: int = option(0, "random seed for people, t-SNE and intervals", low=0, high=2**31 - 1)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        return problems if "names" in problems else problems | each_once("names", self.names)


def load(options: EmbeddingOptions) -> dict[str, Embedded]:
    """Opens the runs, by name and in the order given; missing embeddings are computed and stored.

    Errors: RunError that lists every run that is missing, unfinished, or made from different data than the first.
    """
    names = (AUTO,) if options.names == AUTO else options.names
    found, problems = [], []
    for name in names:
        try:
            run = options.open(name)
            _ = run.metrics
            found.append(run)
        except RunError as error:
            problems.append(str(error))
    hashes = {run.folder.name: run.environment["data_hash"] for run in found}
    if len(set(hashes.values())) > 1:
        listed = ", ".join(f"{name}: {value}" for name, value in hashes.items())
        problems.append(f"the runs were made from different data ({listed}), expected the same images; open them one at a time")
    if problems:
        raise RunError("\n".join(problems))
    opened = ((run, evaluation.run_images(run)) for run in found)
    return {run.folder.name: Embedded(run, images, evaluation.run_features(run, images)) for run, images in opened}
