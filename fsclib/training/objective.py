"""The loss of a training step: a network's loss, ramped in, InfoNCE and attributes; and indicators of a collapse."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fsclib import losses
from fsclib.losses.pairwise import mean_cosine
from fsclib.models.base import Output


@dataclass(frozen=True)
class Objective:
    """What a training minimises.

    loss               a key of losses.LOSSES
    weights            of its parts, fully ramped in
    ramp_from          step from which pair mining and orthogonality are ramped in
    ramp_steps         steps over which they rise to their full weights
    infonce_weight     of InfoNCE across modalities; 0: none
    temperature        of InfoNCE
    attributes_weight  of person attributes
    """

    loss: str
    weights: losses.LossWeights
    ramp_from: int = 0
    ramp_steps: int = 0
    infonce_weight: float = 0.0
    temperature: float = 0.1
    attributes_weight: float = 0.0

    def weights_at(self, step: int) -> losses.LossWeights:
        """The weights at a step of the training: pair mining and orthogonality rise from 0 at ramp_from to 1 ramp_steps later.

        From random weights both would far outweigh the identity loss, and all embeddings collapse to a point: see docs/learning.md.
        """
        since, full = step - self.ramp_from, self.weights
        share = min(1.0, max(0.0, since / self.ramp_steps)) if self.ramp_steps else float(since >= 0)
        return full if share == 1 else replace(full, cpm=share * full.cpm, orthogonality=share * full.orthogonality)

    def __call__(
        self, output: Output, labels: Tensor, step: int, targets: tuple[Tensor, tuple[int, ...]] | None = None
    ) -> losses.Parts:
        """The parts of the loss at a step of the training. labels: (2N,) int64.

        targets: codes of the attributes, (2N, A) int64, and the number of values of each.
        """
        parts = losses.LOSSES[self.loss](output, labels, self.weights_at(step))
        total = parts.total
        if self.infonce_weight:
            found = losses.info_nce(output.neck, labels, self.temperature)
            total, parts = total + self.infonce_weight * found, parts._replace(infonce=found)
        if targets is not None:
            assert output.attributes is not None  # a network that is trained on attributes has a head for them
            found = losses.attribute_loss(output.attributes, *targets)
            total, parts = total + self.attributes_weight * found, parts._replace(attributes=found)
        with torch.no_grad():
            cosines = [mean_cosine(rows[0], labels) for rows in (output.features, output.neck)]
        return parts._replace(total=total, pooled_cosine=cosines[0], neck_cosine=cosines[1])
