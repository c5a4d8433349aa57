"""Types of the public names as strict mypy sees them from another package: correct uses pass, wrong ones fail."""

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
CACHE = REPOSITORY / ".mypy_cache" / "strict"  # kept between runs: reading the types of torch takes most of the time
SETTINGS = """
[mypy]
strict = True

# Far more modules than the types of the public names need. Any name that needed one would be of type Any, and fail.
[mypy-torch.*,matplotlib.*,IPython.*]
follow_imports = skip

[mypy-torch,torch._C.*,torch._tensor,torch.autograd.*,torch.nn.*,torch.utils._contextlib]
follow_imports = normal
"""
USES = """
from typing import assert_type

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import fsclib
from fsclib import losses, metrics
from fsclib.losses import Parts
from fsclib.metrics import Metrics
from fsclib.models.base import Embedding, Network, Output
from fsclib.models.official import load_official, read_official
from fsclib.inference.embedder import Embedder, Embeddings, RankedLists
from fsclib.runs import Run

embedder = fsclib.load("people/fsc")
assert_type(embedder, Embedder)
picture = np.zeros((64, 32, 3), np.uint8)
assert_type(embedder.embed(["a.jpg", Image.fromarray(picture), picture, torch.zeros(3)], "visible"), Embeddings)
assert_type(embedder.rank("queries", embedder.embed("gallery", "visible"), k=5), RankedLists)

net = fsclib.build_model("fsc", 395, stages=4, modules=("frequency", "channel"), backbone="resnet18", init="none")
assert_type(net, Network)
images = torch.zeros(4, 3, 64, 32)
assert_type(net.embed(images, "infrared"), Embedding)
output = net(images, images)
assert_type(output, Output)
assert_type(output.features, Tensor)
load_official(net, read_official("published.t"))

labels = torch.arange(8)
assert_type(losses.batch_hard_triplet(output.features[0], labels, margin=0.3), Tensor)
assert_type(losses.weighted_regularised_triplet(output.features[0], labels), Tensor)
assert_type(losses.center_pair_mining(output.features[0], output.features[1], labels), Tensor)
assert_type(losses.orthogonality(output.features), Tensor)
assert_type(losses.fsc_loss(output, labels), Parts)

found = metrics.evaluate(np.eye(2), [1, 2], np.array([1, 2]), protocol="regdb")
assert_type(found, Metrics)
assert_type(found.cmc, NDArray[np.float64])
assert_type(found.map, float)

try:
    run = fsclib.fit(fsclib.Config(dataset="llcm", modules=("spatial",), lr=0.1))
except fsclib.FsclibError as error:
    raise SystemExit(str(error)) from error
assert_type(run, Run)
print(fsclib.evaluate(run), run.config.height)
"""
WRONG = """
import fsclib
from fsclib import losses, metrics

fsclib.load("people/fsc").embed("a.jpg", 3)
fsclib.build_model("fsc", "many")
fsclib.build_model("fsc", 395).embed(None, "visible")
fsclib.build_model("fsc", 395)("a.jpg", "b.jpg")
losses.batch_hard_triplet([1.0], [1])
metrics.evaluate(None, [1], [1])
fsclib.fit("llcm")
fsclib.Config(height="tall")
fsclib.evaluate("people/fsc")
fsclib.nothing
"""


def test_strict_mypy_accepts_correct_uses_and_refuses_wrong_ones(tmp_path):
    (tmp_path / "right.py").write_text(USES)
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "mypy", f"--cache-dir={CACHE}", "right.py", "wrong.py"]
    # found like an installed package with py.typed: mypy does not see the import hook of an editable installation
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert not done.stderr
    assert "right.py" not in done.stdout, done.stdout
    expected = {number for number, line in enumerate(WRONG.splitlines(), 1) if "import" not in line and line}
    assert {int(number) for number in re.findall(r"^wrong\.py:(\d+): error", done.stdout, re.MULTILINE)} == expected, done.stdout
