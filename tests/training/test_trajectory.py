"""Five training steps of the published trainers of FSC-Net and DEEN: losses, optimiser and learning rates together, in float64."""

import numpy as np
import pytest
import torch
from original import REFERENCE, images, network, without_dropout

from fsclib.config import Config
from fsclib.training.settings import settings_of

STEPS = np.load(REFERENCE / "trajectory.npz", allow_pickle=False)
PARTS = ("identity", "triplet", "cpm", "orthogonality", "total")


WHOLE = pytest.mark.long("five steps of a ResNet-50 in float64")


@pytest.mark.parametrize(("name", "steps"), [("fsc", 2), pytest.param("fsc", 5, marks=WHOLE), pytest.param("deen", 5, marks=WHOLE)])
def test_training_follows_the_published_trainer(name, steps):
    """Rounding grows about thirtyfold a step, so the fifth step is compared less closely."""
    settings = settings_of(Config(dataset="llcm", network=name))
    net = without_dropout(network(f"{name}_llcm").double().train())
    optimizer = settings.optimization.build(net)
    for step, epoch in enumerate(STEPS["epochs"][:steps]):
        labels = torch.from_numpy(np.sort(np.random.RandomState(100 + 10 * step).permutation(20)[:3]).repeat(2))
        assert labels.tolist() == STEPS[f"{name}_llcm_labels"][step].tolist()
        settings.optimization.set_rates(optimizer, int(epoch))
        visible, infrared = (images(seed + 10 * step, 6, torch.float64) for seed in (101, 102))
        parts = settings.objective(net(visible, infrared), labels.repeat(2), step)
        optimizer.zero_grad()
        parts.total.backward()
        optimizer.step()
        found = [getattr(parts, part).item() for part in PARTS]
        expected = STEPS[f"{name}_llcm_parts"][step]
        np.testing.assert_allclose(found, expected, rtol=1e-9 if step < 4 else 1e-7, err_msg=f"step {step}")
    if steps < len(STEPS["epochs"]):
        return
    norms = net.classifier.weight.detach().norm(dim=1)
    np.testing.assert_allclose(norms, STEPS[f"{name}_llcm_classifier"], rtol=1e-7)
    np.testing.assert_allclose(net.neck.running_mean[:64], STEPS[f"{name}_llcm_running_mean"], rtol=1e-5, atol=1e-9)
