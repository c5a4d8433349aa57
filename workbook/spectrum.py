"""The parameters of notebook 04."""

from dataclasses import dataclass

from fsclib.config.strict import AUTO, option
from workbook.run_options import NamedRunOptions


@dataclass(frozen=True, kw_only=True)
class SpectrumOptions(NamedRunOptions):
    """The parameters of notebook 04. Errors: ConfigError, as in Strict."""

    layers: tuple[str, ...] = option((), "points of the network to analyse; none: before and after each module of each view")
    people: int = option(40, "test identities, drawn from those seen in both modalities", low=2, high=100_000)
    images: int = option(2, "images per identity and modality", low=1, high=1000)
    noise: float = option(0.1, "standard deviation of the added noise, as a share of black to white", low=0.001, high=1)
    person: int = option(AUTO, "identity shown on its own; auto: the first one drawn", low=0, high=2**31 - 1)
