"""Names of the networks, modules, losses and backbones that a configuration may choose, including those of other packages.

If an installed package lists one of its modules in the entry-point group "fsclib", it is imported before the first parameters are
checked or the first data set is opened; the module then adds to NETWORKS, MODULES, LOSSES, presets.NETWORKS or specs.DATASETS. A
notebook may also import it directly. In the package's pyproject.toml:

    [project.entry-points.fsclib]
    mine = "my_package.networks"
"""

import functools
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import entry_points

GROUP = "fsclib"


class Names(Collection[str]):
    """Valid values of a field: fsclib's own names, known without importing torch, and those added by other packages."""

    def __init__(self, module: str, table: str, own: tuple[str, ...]):
        """own: fsclib's own keys of `table`, a dict in `module`. Adding a key requires importing the module first."""
        self.module, self.table, self.own = module, table, own

    def _all(self) -> Collection[str]:
        return getattr(sys.modules.get(self.module), self.table, self.own)

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


NETWORKS = Names("fsclib.models.networks", "NETWORKS", ("fsc", "deen", "agw", "bdtr", "twostream", "onestream", "zeropad"))
MODULES = Names("fsclib.models.fsc", "MODULES", ("frequency", "channel", "spatial"))
BACKBONES = Names("fsclib.models.backbone", "BACKBONES", ("resnet18-half", "resnet18", "resnet34", "resnet50", "resnet101"))
LOSSES = Names("fsclib.losses.total", "LOSSES", ("fsc", "agw", "bdtr", "identity"))
EXPANDING = ("fsc", "deen")  # the networks of fsclib that have FSC-Net's expansion


def expands(network: str) -> bool:
    """Whether a network has FSC-Net's expansion, to which `modules` and `branches` apply."""
    if network in NETWORKS.own:
        return network in EXPANDING
    from fsclib.models.networks import NETWORKS as classes  # already imported by the package that added the network
    from fsclib.models.networks import FSCNet

    return issubclass(classes[network], FSCNet)


def versions() -> dict[str, str]:
    """Packages that extend this one and their versions, which are part of a run's environment."""
    return {entry.dist.name: entry.dist.version for entry in entry_points(group=GROUP) if entry.dist}


@functools.cache
def load() -> None:
    """Imports the extensions, once per process. Errors: ImportError that names the package whose extension fails to import."""
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:
            origin = entry.dist.name if entry.dist else "a package"
            fix = f"fix it, or uninstall {origin}"
            raise ImportError(f"{origin} extends fsclib by {entry.value}, which cannot be imported ({error!r}); {fix}") from error
