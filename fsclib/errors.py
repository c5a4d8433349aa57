"""The base class of this library's own errors: `except FsclibError` catches all of them."""


class FsclibError(Exception):
    """An error whose message says what was found, what was expected and what to do."""
