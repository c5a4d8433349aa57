"""Decoding errors that are not due to a single image file."""

from fsclib.system.errors import FsclibError


class DecodingError(FsclibError, RuntimeError):
    """A decoding process died: names its images and what to do."""
