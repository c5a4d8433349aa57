"""The initial weights of a run: shipped ones, another run's, or those in a checkpoint of this library or of a published program."""

from pathlib import Path

from torch import Tensor

from fsclib.config import Config
from fsclib.models import weights
from fsclib.models.backbone import imagenet_weights
from fsclib.models.official import foreign, read_official, renamed
from fsclib.runs import checkpoint, folder
from fsclib.runs.folder import Run
from fsclib.system.errors import FsclibError


def starting_weights(init: str, backbone: str) -> dict[str, Tensor] | None:
    """Initial weights by `init`, a name or an absolute path (see config/initial.py); None for ImageNet or random weights.

    Errors: ValueError for weights that are missing, broken or for another backbone; RunError, CheckpointError for those of a run.
    """
    if init in ("none", "imagenet"):
        return None
    if weights.are_shipped(init):
        return weights.read(init, backbone)
    if not Path(init).is_absolute():
        dataset, _, name = init.partition("/")
        return _of_run(init, folder.load(dataset, name), "best", backbone)
    place = Path(init)
    if found := run_at(place):
        return _of_run(init, *found, backbone)
    if not place.is_file():
        told = "a folder without config.json" if place.is_dir() else "no such file or folder"
        raise ValueError(f"init: found {init}, {told}; expected the folder of a run, or a checkpoint")
    if place.suffix == ".safetensors":
        return checkpoint.network(place)
    state = read_official(place)
    ours = renamed(state)
    if not any(name.startswith("layers.") for name in ours):
        told = foreign(state) or f"{len(state)} entries without those of a published network\n"
        raise ValueError(f"init: found {init}: {told}expected a checkpoint of FSC-Net, DEEN or AGW")
    return ours


def run_at(place: Path) -> tuple[Run, str] | None:
    """The run in a folder and "best", or the run and the name of the checkpoint at a path; None for other folders and files."""
    home, which = (place.parent.parent, place.stem) if place.suffix == ".safetensors" else (place, "best")
    if not (home / "config.json").is_file():
        return None
    home = home.resolve()
    return folder.load(home.parent.name, home.name, home.parent.parent), which


def digest_of_start(config: Config) -> str:
    """A hash of the initial weights, "" for random ones and for those that are gone, which a run that resumes does not need."""
    if config.init == "none":
        return ""
    if weights.are_shipped(config.init):
        return str(weights.card(config.init)["sha256"])
    try:
        state = starting_weights(config.init, config.backbone) or imagenet_weights(config.backbone)
    except (FsclibError, ValueError, OSError):
        return ""
    return weights.digest_of(state)


def _of_run(init: str, run: Run, which: str, backbone: str) -> dict[str, Tensor]:
    if run.config.backbone != backbone:
        found = f"a run with backbone {run.config.backbone}, expected {backbone}"
        raise ValueError(f"init: found {init!r}, {found}; choose another run or backbone")
    return checkpoint.network(run.checkpoint(which))
