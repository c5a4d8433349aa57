"""Run folders: the configuration, log, checkpoints, figures, tables and metrics of each run."""

from fsclib.runs.folder import (
    Run,
    RunError,
    alone,
    begin,
    check,
    config_of,
    finished,
    folder_of,
    load,
    recorded,
    report,
    resumes,
    siblings,
    table,
)

__all__ = [
    "Run",
    "RunError",
    "alone",
    "begin",
    "check",
    "config_of",
    "finished",
    "folder_of",
    "load",
    "recorded",
    "report",
    "resumes",
    "siblings",
    "table",
]
