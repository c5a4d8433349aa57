"""The optimiser of the published programs and one step with it. METHOD, Training."""

import torch
from torch import Tensor, nn

from benchmarks.plain.losses import fsc_loss


def optimizer(net: nn.Module, rate: float = 0.01) -> torch.optim.SGD:
    """SGD over the rest, dead weight included, and over neck and classifier, which learn at `rate`, ten times as fast."""
    head = [*net.bottleneck.parameters(), *net.classifier.parameters()]
    own = {id(parameter) for parameter in head}
    rest = [parameter for parameter in net.parameters() if id(parameter) not in own]
    groups = [{"params": rest, "lr": 0.1 * rate}, {"params": head, "lr": rate}]
    return torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=5e-4)


def step(net: nn.Module, sgd: torch.optim.Optimizer, visible: Tensor, infrared: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Images (N, 3, H, W) of either modality, labels (2N,) → the losses of fsc_loss, of which the first is gone backward from."""
    features, logits = net(visible, infrared)
    losses = fsc_loss(features, logits, labels)
    sgd.zero_grad()
    losses[0].backward()
    sgd.step()
    return losses
