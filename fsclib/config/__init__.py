"""All parameters of a run in one frozen, strictly checked record, and the presets that fill it."""

from fsclib.config.schema import Config
from fsclib.config.strict import ConfigError

__all__ = ["Config", "ConfigError"]
