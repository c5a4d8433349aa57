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
