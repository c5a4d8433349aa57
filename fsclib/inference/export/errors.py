"""The error of exporting a network and of running an exported one."""

from fsclib.system.errors import FsclibError


class ExportError(FsclibError, ValueError):
    """A network that cannot be exported as asked, or an exported one that cannot be run."""
