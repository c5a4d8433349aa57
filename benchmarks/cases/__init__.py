"""The benchmark cases by name."""

from benchmarks.case import Case
from benchmarks.cases import images, networks, retrieval

CASES: dict[str, Case] = networks.CASES | retrieval.CASES | images.CASES
