"""The optimiser of the published programs, and one training step."""

import torch
from torch import Tensor, nn

from benchmarks.plain.losses import fsc_loss


def optimizer(net: nn.Module, rate: float = 0.01) -> torch.optim.SGD:
    """SGD with learning rate `rate` for neck and classifier, and a tenth of it for the rest, including unused weights."""
    head = [*net.bottleneck.parameters(), *net.classifier.parameters()]
    own = {id(parameter) for parameter in head}
    rest = [parameter for parameter in net.parameters() if id(parameter) not in own]
    groups = [{"params": rest, "lr": 0.1 * rate}, {"params": head, "lr": rate}]
    return torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=5e-4)


def step(net: nn.Module, sgd: torch.optim.Optimizer, visible: Tensor, infrared: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Images (N, 3, H, W) of either modality, labels (2N,) → the losses of fsc_loss; the first is backpropagated."""
    features, logits = net(visible, infrared)
    losses = fsc_loss(features, logits, labels)
    sgd.zero_grad()
    losses[0].backward()
    sgd.step()
    return losses
