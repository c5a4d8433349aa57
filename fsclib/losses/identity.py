"""Identity loss: the cross entropy of the classifier over the training identities."""

from torch import Tensor
from torch.nn import functional as F

from fsclib.losses.pairwise import at_least_float32, check_rows


def identity(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy over all V·2N rows. logits: (V, B, C); labels: (B,) int64 in [0, C); smoothing: in [0, 1)."""
    check_rows(logits, labels)
    return F.cross_entropy(at_least_float32(logits).flatten(0, 1), labels.repeat(len(logits)), label_smoothing=smoothing)
