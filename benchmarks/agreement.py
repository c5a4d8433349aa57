"""Prints the largest deviation from each file of tests/reference/: python benchmarks/agreement.py"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from original import KEYS, NETWORKS, REFERENCE, deviation, gradient_norms, images, network, reference_losses, training_step

from fsclib import losses, metrics
from fsclib.models.official import use_published_order


def of_network(key: str, published_order: bool) -> dict[str, float]:
    """Largest relative deviations of embeddings, training features, logits, losses and gradient norms."""
    expected, net = np.load(REFERENCE / f"net_{key}.npz", allow_pickle=False), network(key).eval()
    use_published_order(net, published_order)
    embeddings = []
    for modality, code, seed in (("visible", 1, 1), ("infrared", 2, 2)):
        with torch.inference_mode():
            found = net.embed(images(seed, 3), modality)
        for parts, name in zip(found, ("pool", "bn"), strict=True):
            view_major = F.normalize(parts, dim=2).transpose(0, 1).flatten(0, 1)
            embeddings.append(deviation(view_major, expected[f"eval_{name}_modal{code}"]))
    output, parts = training_step(net)
    reference = reference_losses(expected)
    norms, found = NETWORKS[key]["grad_norm"], gradient_norms(net, key)
    nonzero = [name for name, norm in norms.items() if norm > 1e-7 * max(norms.values())]  # the others are rounding errors only
    return {
        "embeddings": max(embeddings),
        "features": deviation(output.features.flatten(0, 1), expected["train_pool"]),
        "logits": deviation(output.logits.flatten(0, 1), expected["train_logits"]),
        "losses": max(abs(getattr(parts, part).item() - value) / abs(value) for part, value in reference.items()),
        "gradient norms": max(abs(found[name] - norms[name]) / norms[name] for name in nonzero),
    }


def of_losses() -> dict[str, float]:
    """Largest relative deviation of each loss, and of its gradient relative to the largest entry."""
    file, worst = np.load(REFERENCE / "losses.npz", allow_pickle=False), {}
    for case in sorted({name.split("_")[0] for name in file.files}):
        labels = torch.from_numpy(file[f"{case}_label"])
        both = labels.repeat(2)
        size = 2 * len(labels)
        functions = {
            "tri": lambda x, both=both: losses.batch_hard_triplet(x, both.repeat(3)),
            "wrt": lambda x, both=both: losses.weighted_regularised_triplet(x, both.repeat(3)),
            "wrt_norm": lambda x, both=both: losses.weighted_regularised_triplet(F.normalize(x), both.repeat(3)),
            "cpm_12": lambda x, both=both, n=size: losses.center_pair_mining(x[:n], x[n : 2 * n], both),
            "cpm_13": lambda x, both=both, n=size: losses.center_pair_mining(x[:n], x[2 * n :], both),
        }
        for name, function in functions.items():
            features = torch.from_numpy(file[f"{case}_feat"]).requires_grad_()
            value = function(features)
            (gradient,) = torch.autograd.grad(value, features)
            expected = float(file[f"{case}_{name}"])
            worst[name] = max(worst.get(name, 0.0), abs(value.item() - expected) / abs(expected))
            of_gradient = deviation(gradient, file[f"{case}_{name}_grad"])
            worst[f"{name} gradient"] = max(worst.get(f"{name} gradient", 0.0), of_gradient)
    return worst


def of_metrics() -> dict[str, float]:
    """Largest absolute deviation of each metric."""
    file, worst = np.load(REFERENCE / "metrics.npz", allow_pickle=False), {}
    for case in "012":
        for protocol in metrics.PROTOCOLS:
            cameras = "_llcm" if protocol == "llcm" else ""
            names = ("sim", "qp", "gp", f"qc{cameras}", f"gc{cameras}")
            found = metrics.evaluate(*(file[f"{case}_{name}"] for name in names), protocol)
            for name, value in (("cmc", found.cmc), ("mAP", found.map), ("mINP", found.minp)):
                here = float(np.abs(value - file[f"{case}_{protocol}_{name}"]).max())
                worst[name] = max(worst.get(name, 0.0), here)
    return worst


def show(file: str, deviations: dict[str, float]) -> None:
    print(f"{file}: " + ", ".join(f"{name} {value:.1e}" for name, value in deviations.items()))


if __name__ == "__main__":
    for key in KEYS:
        for published_order in (False, True):
            show(f"net_{key}.npz, {'published' if published_order else 'fast'} order", of_network(key, published_order))
    show("losses.npz", of_losses())
    show("metrics.npz", of_metrics())
