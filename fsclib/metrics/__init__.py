"""Metrics: CMC, mAP and mINP (ranking), their chance levels, and confidence intervals of differences. Pure functions of arrays."""

from fsclib.metrics.bootstrap import bootstrap_interval
from fsclib.metrics.ranking import PROTOCOLS, RANKS, Metrics, PerQuery, average, evaluate, hidden, per_query

__all__ = ["PROTOCOLS", "RANKS", "Metrics", "PerQuery", "average", "bootstrap_interval", "evaluate", "hidden", "per_query"]
