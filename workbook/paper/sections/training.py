"""How the runs were trained."""

from functools import partial

from fsclib import figures
from fsclib.runs import Run, checkpoint
from workbook.paper.items import RUN, Drawn, Item, Missing
from workbook.paper.selection import Cast

TITLE = "Training"
CAPTION = (
    "Training of {name}: the losses with their weights in the total, the learning rate, and, if identities are held out, retrieval "
    "on people that the network has not seen. The identity loss starts near ln C, C the number of training identities; if "
    "validation falls while the losses still decrease, the network overfits."
)


def items(cast: Cast) -> list[Item | Missing]:
    """The curves of each trained run; a shipped network that is only tested has none."""
    if not cast.runs:
        return [Item(name="training", caption=CAPTION, make=partial(_curves, None), needs=(RUN,))]
    if not any(run.config.epochs for run in cast.runs):
        return [Missing("training", f"{', '.join(cast.names)}: tested as shipped with fsclib, not trained here")]
    return [
        Item(name=f"training_{name}", caption=CAPTION, make=partial(_curves, run), runs=(name,), needs=(RUN,))
        for name, run in zip(cast.names, cast.runs, strict=True)
        if run.config.epochs
    ]


def _curves(run: Run) -> Drawn:
    last = run.checkpoint("last")
    classes = checkpoint.state(last, "num_classes")["num_classes"] if last.exists() else 0
    return Drawn(figures.training_curves(run.log(), run.config.to_dict(), classes), {"name": run.folder.name})
