"""A cell of a sweep with its configuration, for the checks before a run."""

from dataclasses import dataclass

from fsclib.config import Config
from workbook.sweep.cell import Job


@dataclass(frozen=True, kw_only=True)
class Cell(Job):
    """One run of a sweep: a job, and the configuration that its parameters give."""

    config: Config
