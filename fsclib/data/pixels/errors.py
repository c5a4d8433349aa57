"""Errors of decoding that no single image file has caused."""

from fsclib.errors import FsclibError


class DecodingError(FsclibError, RuntimeError):
    """A decoding process died: names its images and what to do."""
