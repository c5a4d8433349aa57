"""The command line: fsclib COMMAND …

embed, rank, evaluate and export take their options from the type hints of the functions below; the others hand over to the programs
of their packages.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from fsclib.system import log
from fsclib.system.errors import FsclibError

Model = Annotated[str, arg(help="shipped network, folder of a run, or checkpoint file")]
Network = Annotated[str, arg(help="network of a published program's checkpoint: fsc, deen, agw or twostream")]
TrainedOn = Annotated[str, arg(help="data set that such a checkpoint was trained on: sysu, regdb or llcm")]
Device = Annotated[str, arg(help="cpu, cuda, cuda:N or mps; auto: a GPU if there is one")]


def embed(
    images: Annotated[Positional[Path], arg(help="folder of images, one person per image")],
    modality: Annotated[Literal["visible", "infrared"], arg(help="of these images")],
    out: Annotated[Path, arg(help="folder for the vectors and the names of the images")],
    model: Model = "people/fsc",
    network: Network = "",
    dataset: TrainedOn = "",
    device: Device = "auto",
) -> None:
    """Turns the images of a folder into vectors, which fsclib rank and fsclib.inference.embedder.read_embeddings take.

    Example: fsclib embed photos/visible --modality visible --out gallery
    """
    import fsclib

    found = fsclib.load(model, network=network, dataset=dataset, device=device).embed(images, modality)
    print(f"{found.shape[0]} vectors of {found.shape[1]} numbers: {found.save(out)}")


def rank(
    queries: Annotated[Positional[Path], arg(help="folder of images, or of vectors from fsclib embed")],
    gallery: Annotated[Positional[Path], arg(help="the same, to search in; nobody's identity needs to be known")],
    k: Annotated[int, arg(help="results per query")] = 10,
    direction: Annotated[Literal["ir2vis", "vis2ir"], arg(help="ir2vis: infrared queries, visible gallery")] = "ir2vis",
    out: Annotated[Path, arg(help="CSV file for the result")] = Path("ranked.csv"),
    figure: Annotated[Path | None, arg(help="PNG or PDF file for a figure of the first six queries")] = None,
    model: Model = "people/fsc",
    network: Network = "",
    dataset: TrainedOn = "",
    device: Device = "auto",
) -> None:
    """Finds the most similar gallery images for each query.

    Example: fsclib rank photos/infrared photos/visible --figure ranked.png
    """
    import fsclib
    from fsclib.system.storage import replacing

    found = fsclib.load(model, network=network, dataset=dataset, device=device).rank(queries, gallery, k, direction=direction)
    with replacing(out) as part:
        found.to_csv(part, index=False)
    print(f"{found['query'].nunique()} queries: {out}")
    if figure:
        found.figure().savefig(figure)
        print(f"figure: {figure}")


def export(
    source: Annotated[Positional[str], arg(help="shipped network, folder of a run, or checkpoint file")],
    out: Annotated[Path, arg(help="folder for the exported files")],
    format: Annotated[Literal["onnx", "torch"], arg(help="files for ONNX Runtime, or programs of torch.export")] = "onnx",
    quantise: Annotated[Literal["none", "int8"], arg(help="int8: smaller and faster, with --visible and --infrared")] = "none",
    visible: Annotated[Path | None, arg(help="folder of visible images that int8 is calibrated on")] = None,
    infrared: Annotated[Path | None, arg(help="folder of infrared images that int8 is calibrated on")] = None,
    network: Network = "",
    dataset: TrainedOn = "",
) -> None:
    """Writes a network as files that run without fsclib's training code.

    Example: fsclib export people/fsc --format onnx --out exported
    """
    import fsclib
    from fsclib.inference.export import export as write

    folders = {"visible": visible, "infrared": infrared}
    calibration = {modality: folder for modality, folder in folders.items() if folder}
    embedder = fsclib.load(source, network=network, dataset=dataset, device="cpu", precision="float32")
    for file in write(embedder, out, format=format, quantise=quantise, calibration=calibration):
        print(file)


def evaluate(
    dataset: Annotated[Positional[str], arg(help="demo, sysu, regdb, llcm, or one's own: a CSV file or a folder")],
    name: Annotated[str, arg(help="a run of this data set, or a shipped network")] = "auto",
    data_root: Annotated[str, arg(help="folder of the data set, if it is not in data/")] = "",
    trial: Annotated[int, arg(help="split of the data set, if it has several")] = 1,
    device: Device = "auto",
) -> None:
    """Tests a network on the identities of a data set, and prints chance and raw pixels beside it.

    Of RegDB, whose ten trials each have a model of their own, the mean over those that are tested is printed too.
    Example: fsclib evaluate my.csv --name people/fsc
    """
    from fsclib.retrieval import evaluation, trials
    from fsclib.runs.headline import UNITS
    from workbook import demo
    from workbook.run_options import NamedRunOptions

    options = NamedRunOptions(dataset=dataset, name=name, data_root=data_root, trial=trial, device=device)
    demo.ensure(options.dataset, options.data_root)
    run = options.run()
    images = evaluation.run_images(run)
    evaluation.evaluate_run(run, trial=trial, images=images)
    print(run.headline().to_string(index=False))
    print(f"{UNITS}\nfigures and tables: {run.folder}")
    together, spec = trials.all_trials(run), run.config.spec
    tested = sorted(set(together["trial"]))
    if spec.splits > 1 and (spec.owner or len(tested) > 1):  # one's own data need not be tested on several splits
        print(f"\nmean and standard deviation over {len(tested)} of {spec.splits} trials: {', '.join(map(str, tested))}")
        print(trials.mean_over_trials(together).to_string(index=False))


COMMANDS: dict[str, tuple[str, Callable[..., object] | str]] = {  # name → example, and its function or the module with its main
    "embed": ("fsclib embed photos/visible --modality visible --out gallery", embed),
    "rank": ("fsclib rank photos/infrared photos/visible --figure ranked.png", rank),
    "evaluate": ("fsclib evaluate my.csv --name people/fsc", evaluate),
    "train": ("fsclib train --dataset my.csv --epochs 10", "fsclib.training.__main__"),
    "synth": ("fsclib synth --layout llcm --out data/synthetic-llcm --identities 60", "synthpeople.__main__"),
    "export": ("fsclib export people/fsc --format onnx --out exported", export),
    "sweep": ("fsclib sweep ablation --workers 2", "workbook.sweep.__main__"),
    "runs": ("fsclib runs llcm fsc-paper-seed0", "fsclib.runs.__main__"),
}
EXAMPLES = "\n".join(f"  {example}" for example, _ in COMMANDS.values())
USAGE = f"usage: fsclib COMMAND … ; fsclib COMMAND --help explains it\n\n{EXAMPLES}"


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status, with the message of an error on standard error."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    if words[0] not in COMMANDS:
        from fsclib.config.strict import nearest

        print(f"fsclib {words[0]}: no such command{nearest(words[0], COMMANDS)}\n{USAGE}", file=sys.stderr)
        return 2
    log.show()
    example, command = COMMANDS[words[0]]
    try:
        if callable(command):
            tyro.cli(command, prog=f"fsclib {words[0]}", args=list(words[1:]))
            return 0
        if list(words[1:]) in (["-h"], ["--help"]):
            print(f"example: {example}\n")
        return importlib.import_module(command).main(list(words[1:])) or 0
    except KeyboardInterrupt:
        print("stopped; the same command starts again, or resumes a training", file=sys.stderr)
        return 130
    except (FsclibError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
