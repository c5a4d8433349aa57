"""The lines of docs/ run as they are written, in a folder with the files that they name."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from corpora import photos
from original import state_of

from fsclib.analysis.comparability import conditions
from fsclib.config import Config, presets
from fsclib.models.networks import NETWORKS
from workbook import cli, sweep

DOCS = Path(__file__).parents[1] / "docs"
CHECKPOINT = "sysu_agw_p4_n8_lr_0.1_seed_0_best.t"


def lines(name: str, kind: str) -> list[str]:
    """The blocks of Python, or the commands of the shell, in a document."""
    text = (DOCS / name).read_text()
    if kind == "python":
        return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    return re.findall(r"^    (fsclib .*)$", text, re.M)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with photos/ of eight people."""
    photos(tmp_path / "photos", 8)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    return tmp_path


def run(block: str) -> dict:
    names: dict = {}
    exec(compile(block, "documentation", "exec"), names)
    return names


def test_your_own_images(place, capsys):
    search, arrays = lines("your-own-images.md", "python")
    found = run(search)["found"]
    assert len(found) == 80 * 10
    assert (place / "ranked.png").stat().st_size > 10_000
    assert run(arrays)["again"].shape == (4, 30)
    (place / "ranked.csv").unlink()
    for command in lines("your-own-images.md", "shell"):
        assert cli.main(shlex.split(command)[1:]) == 0, command
    assert (place / "ranked.csv").exists()


def test_own_data(place, capsys):
    for command in lines("own-data.md", "shell"):
        assert cli.main(shlex.split(command.replace("--epochs 7", "--epochs 1 --small-epochs 0"))[1:]) == 0, command
    printed = capsys.readouterr().out
    assert "raw pixels" in printed
    (block,) = lines("own-data.md", "python")
    run(block.replace("epochs=7", "epochs=1, small_epochs=0"))
    assert sorted(folder.name for folder in (place / "results" / "photos").iterdir() if folder.is_dir()) == [
        "fsc-tiny-seed0-trial1", "shipped-fsc-trial1"
    ]  # fmt: skip


def test_fine_tuning(place, capsys):
    def fewer(block):  # epochs
        for number, few in ((12, 3), (10, 2), (7, 1)):
            block = block.replace(f"epochs {number}", f"epochs {few} --small-epochs 0").replace(f"epochs={number}", f"epochs={few}")
        return block.replace('"identities": 2}', '"identities": 2, "small_epochs": 0}')

    first, second = lines("fine-tuning.md", "shell")
    assert cli.main(shlex.split(fewer(first))[1:]) == 0
    assert "people/twostream" in (place / "results/photos/tuned/config.json").read_text()
    assert cli.main(shlex.split(fewer(second))[1:]) == 0
    assert (place / "results/photos/tuned-epochs2/metrics.json").exists()
    (block,) = lines("fine-tuning.md", "python")
    assert list(run(fewer(block))["run"].log()["epoch"]) == [0, 1, 2]


def test_published_checkpoints(place):
    torch.save({"net": state_of("agw"), "epoch": 60}, CHECKPOINT)
    for person in (place / "photos").glob("*/[3-8]"):  # two people are enough for a ResNet-50
        shutil.rmtree(person)
    first, second = lines("published-checkpoints.md", "python")
    assert run(first)["vectors"].shape == (20, 4096)
    run(second.replace("num_classes=395", "num_classes=20"))  # the people of the reference network


def test_every_document_keeps_to_ten_lines_of_code_a_task():
    blocks = [block for file in DOCS.glob("*.md") for block in lines(file.name, "python")]
    assert len(blocks) >= 7
    assert max(len([line for line in block.splitlines() if line]) for block in blocks) <= 10


def test_methods(tmp_path):
    text = (DOCS / "methods.md").read_text()
    (grid,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    (tmp_path / "methods.yaml").write_text(grid)
    configs = [cell.config for cell in sweep.read(tmp_path / "methods.yaml", check=False).cells]
    assert list(dict.fromkeys(config.network for config in configs)) == list(NETWORKS)
    assert conditions(configs).startswith("fsc augmentation; 150 epochs")
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    heading, *_ = [row for row in rows if row[0] == "augmentation"]
    of_presets = [row for row in rows if row[0] in presets.AUGMENTATIONS]
    assert [row[0] for row in of_presets] == list(presets.AUGMENTATIONS)
    for row in of_presets:
        said = {name: float(value) for name, value in zip(heading[1:-1], row[1:-1], strict=True)}
        assert presets.PLAIN | said == presets.AUGMENTATIONS[row[0]]
    published = [row for row in rows if row[0].split("`")[0] in NETWORKS and len(row) == 5]
    assert {name for row in published for name in re.findall(r"\w+", row[0])} == set(NETWORKS)
    for row in published:
        config = Config(dataset="llcm", network=row[0].split("`")[0])
        budget = f"{config.epochs} epochs, {config.identities} × {config.images} images, {config.height} × {config.width}"
        said = next(other[4] for other in published if other[0] == "agw") if row[4] == "as AGW" else row[4]
        assert (row[2].split("`")[0], row[3], said) == (config.loss, config.augmentation, budget)
