"""Embedders with small random networks, whose BatchNorm statistics are not those of initialisation."""

import torch
from torch import nn

from fsclib.inference.embedder import Embedder
from fsclib.models.folding import folded
from fsclib.models.networks import build_model
from fsclib.models.weights import digest_of

SIZE = (64, 32)


def embedder(name, **options):
    torch.manual_seed(0)
    net = build_model(name, 5, backbone="resnet18-half", **options)
    for part in net.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for values in (part.weight, part.bias, part.running_mean, part.running_var):
                nn.init.uniform_(values.data, 0.5, 1.5)
    return Embedder(folded(net), SIZE, torch.device("cpu"), torch.float32, digest_of(net.state_dict()))
