"""How the runs were trained."""

from functools import partial

from fsclib import checkpoint, figures
from fsclib.paper.cast import Cast
from fsclib.paper.items import RUN, Drawn, Item, Missing
from fsclib.runs import Run

TITLE = "Training"
CAPTION = (
    "Training of {name}: losses by part, as they count in the total, the learning rate, and, where identities are held out, "
    "retrieval among people whom the network has not seen. The identity loss begins near the logarithm of the number of training "
    "identities, ln C; validation that falls while the losses still sink is overfitting."
)


def items(cast: Cast) -> list[Item | Missing]:
    """The curves of each run that was trained here; a network of ours that is only tested has none."""
    if not cast.runs:
        return [Item(name="training", caption=CAPTION, make=partial(_curves, None), needs=(RUN,))]
    if not any(run.config.epochs for run in cast.runs):
        return [Missing("training", f"{', '.join(cast.names)}: tested as they come with fsclib, and not trained here")]
    return [
        Item(name=f"training_{name}", caption=CAPTION, make=partial(_curves, run), runs=(name,), needs=(RUN,))
        for name, run in zip(cast.names, cast.runs, strict=True)
        if run.config.epochs
    ]


def _curves(run: Run) -> Drawn:
    last = run.checkpoint("last")
    classes = checkpoint.state(last, "num_classes")["num_classes"] if last.exists() else 0
    return Drawn(figures.training_curves(run.log(), run.config.to_dict(), classes), {"name": run.folder.name})
