"""Trains on a batch split over several processes as if one process held all of it.

The mean and variance of BatchNorm are those of the whole batch, and pooled features are gathered, so that neck, classifier and
losses see the same complete batch in every process. The loss L is then one number with N copies: the gradient that reaches a
process's part of the features is N times its own, and the mean over processes that DistributedDataParallel takes of gradients is
the sum: the gradient of one process that holds the batch, up to rounding.
"""

import copy
from inspect import signature
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from fsclib.models.base import Network, Output

NEW, OLD = "forward_sync_buffers", "broadcast_buffers"  # one option, whose name changed with torch 2.15
COPY_BUFFERS = NEW if NEW in signature(DistributedDataParallel).parameters else OLD  # from process 0 before each step


def together(net: Network, group: dist.ProcessGroup, whole_batch: bool) -> nn.Module:
    """The module that the processes of a group call, each with its images, to train a network with the same gradients in all.

    It shares the weights and buffers of `net`, which is not changed. whole_batch: the images form one batch, see above; otherwise
    each process has its own batch, BatchNorm and loss, and the buffers are those of process 0.
    """
    tensors = [*net.parameters(), *net.buffers()]
    twin = copy.deepcopy(net, {id(tensor): tensor for tensor in tensors})
    called = WholeBatch(twin, group) if whole_batch else twin
    copying: dict[str, Any] = {COPY_BUFFERS: not whole_batch}
    return DistributedDataParallel(called, process_group=group, gradient_as_bucket_view=True, **copying)


class WholeBatch(nn.Module):
    """Calls `net` with this process's images, n of each modality, and returns the Output of the whole batch, in process order.

    The BatchNorms of `net` are replaced by ones that share their statistics; its state dict stays the same.
    """

    def __init__(self, net: Network, group: dist.ProcessGroup):
        super().__init__()
        neck = net.neck  # which sees the whole batch anyway
        net.register_module("neck", nn.Identity())
        on_gpu = next(net.parameters()).device.type == "cuda"
        # torch's own supports GPUs only
        sharing = nn.SyncBatchNorm.convert_sync_batchnorm(net, group) if on_gpu else shared(net, group)
        assert isinstance(sharing, Network)  # `net` itself
        self.net = sharing
        self.net.neck = neck
        self.group = group

    def forward(self, visible: Tensor, infrared: Tensor) -> Output:
        features = self.net.features(visible, infrared).view(self.net.views, 2, len(visible), -1)
        whole = _Gathered.apply(features, self.group)  # (processes, V, 2, n, D)
        return self.net.classified(whole.permute(1, 2, 0, 3, 4).flatten(0, 3))


def shared(module: nn.Module, group: dist.ProcessGroup) -> nn.Module:
    """Replaces every BatchNorm in a module, in place, by one over the batches of all processes of the group."""
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        return SharedBatchNorm(module, group)
    for name, child in module.named_children():
        setattr(module, name, shared(child, group))
    return module


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """BatchNorm over the batches of all processes, with the parameters and buffers of the BatchNorm that it replaces."""

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, group: dist.ProcessGroup):
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))
        self.group = group
        self.train(norm.training)

    def _check_input_dim(self, features: Tensor) -> None:
        pass

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return super().forward(features)
        normalised, mean, variance, count = _Normalised.apply(features, self.weight, self.bias, self.eps, self.group)
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        return normalised


class _Normalised(torch.autograd.Function):
    """(x − μ) / √(σ² + ε) · γ + β with μ and σ² over all processes; also returns μ, σ² and the number of values per channel."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, eps: float, group: dist.ProcessGroup
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        dims = [dim for dim in range(features.ndim) if dim != 1]
        variance, mean = torch.var_mean(_full(features), dims, correction=0)
        count = features.numel() / features.shape[1]
        own = torch.stack([mean, variance, torch.full_like(mean, count)])
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
        dist.all_gather(parts, own, group=group)
        means, variances, counts = torch.stack(parts, 1)  # (processes, C) each
        total = counts.sum(0)
        mean = (means * counts).sum(0) / total
        variance = ((variances + (means - mean).square()) * counts).sum(0) / total
        ctx.save_for_backward(features, weight, mean, (variance + eps).rsqrt(), total)
        ctx.group, ctx.dims = group, dims
        ctx.mark_non_differentiable(mean, variance, total)
        return F.batch_norm(features, mean, variance, weight, bias, False, 0, eps), mean, variance, total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, mean, scale, total = ctx.saved_tensors
        shape = [1, -1, *[1] * (features.ndim - 2)]
        full = _full(gradient)
        normalised = (_full(features) - mean.view(shape)).mul_(scale.view(shape))
        own = torch.stack([full.sum(ctx.dims), (full * normalised).sum(ctx.dims)])
        whole = own.clone()
        dist.all_reduce(whole, group=ctx.group)
        average, along = whole / total
        found = full - average.view(shape) - normalised.mul_(along.view(shape))
        return found.mul_((weight * scale).view(shape)).to(features.dtype), own[1], own[0], None, None


def _full(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class _Gathered(torch.autograd.Function):
    """Gathers (…) of each process as (processes, …) in all. The gradient is this process's part times their number."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.index, ctx.count = dist.get_rank(group), dist.get_world_size(group)
        parts = [torch.empty(part.shape, dtype=part.dtype, device=part.device) for _ in range(ctx.count)]
        dist.all_gather(parts, part.contiguous(), group=group)
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[ctx.index] * ctx.count, None
