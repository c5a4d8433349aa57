"""Networks, modules and losses from other packages, without a fork of this one.

An installed package that names a module of its own in the entry-point group "fsclib" has it imported before the first
configuration is checked; importing it adds to NETWORKS, MODULES, LOSSES or presets.NETWORKS. A notebook may just as well import it
by itself. In the package's pyproject.toml:

    [project.entry-points.fsclib]
    mine = "my_package.networks"
"""

import functools
from importlib.metadata import entry_points

GROUP = "fsclib"


def versions() -> dict[str, str]:
    """The packages that extend this one, and their versions: they belong to what a run was made with."""
    return {entry.dist.name: entry.dist.version for entry in entry_points(group=GROUP) if entry.dist}


@functools.cache
def load() -> None:
    """Imports the extensions, once a process. Errors: ImportError that names the package whose extension cannot be imported."""
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:
            origin = entry.dist.name if entry.dist else "a package"
            mend = f"mend it, or uninstall {origin}"
            raise ImportError(f"{origin} extends fsclib by {entry.value}, which cannot be imported ({error!r}); {mend}") from error
