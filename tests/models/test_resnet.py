"""The ResNets are torchvision's, to the bit: parameters, random draws, outputs and gradients."""

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from fsclib.models.backbone import BACKBONES, build_backbone


def half_of_torchvision():
    """As fsclib built it while it imported torchvision."""
    net = ResNet(BasicBlock, [0, 0, 0, 0])
    net.inplanes = 32
    net.conv1, net.bn1 = nn.Conv2d(3, 32, 7, 2, 3, bias=False), nn.BatchNorm2d(32)
    for number, width in enumerate((32, 64, 128, 256)):
        setattr(net, f"layer{number + 1}", net._make_layer(BasicBlock, width, 2, stride=1 if number == 0 else 2))
    net.fc = nn.Linear(256, 1000)
    for part in net.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return net


def outputs(net, images):
    """The classifier's outputs and the parameters' gradients by name."""
    features = nn.functional.max_pool2d(torch.relu(net.bn1(net.conv1(images))), 3, 2, 1)
    features = net.layer4(net.layer3(net.layer2(net.layer1(features))))
    found = net.fc(features.mean((2, 3)))
    found.square().sum().backward()
    return found, {name: parameter.grad for name, parameter in net.named_parameters()}


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("resnet18-half", half_of_torchvision),
        *((name, getattr(torchvision.models, name)) for name in ("resnet18", "resnet34", "resnet50", "resnet101")),
    ],
)
def test_the_network_of_a_seed_is_that_of_torchvision(name, build):
    torch.manual_seed(5)
    theirs, then = build(), torch.rand(3)
    torch.manual_seed(5)
    ours, now = BACKBONES[name].build(), torch.rand(3)
    assert torch.equal(now, then)
    assert [key for key, _ in ours.named_parameters()] == [key for key, _ in theirs.named_parameters()]
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in ours.state_dict().items())
    if name == "resnet101":  # the blocks of resnet50, and more of them
        return
    images = torch.randn(2, 3, 64, 32)
    (found, gradients), (expected, wanted) = outputs(ours, images), outputs(theirs, images)
    assert torch.equal(found, expected)
    assert all(torch.equal(value, wanted[key]) for key, value in gradients.items())


@pytest.mark.parametrize("name", ["resnet34", "resnet101"])
def test_imagenet_weights_are_those_that_torchvision_names(name):
    assert BACKBONES[name].imagenet == torchvision.models.get_model_weights(name).IMAGENET1K_V1.__str__()


@pytest.mark.parametrize("name", ["resnet34", "resnet101"])
def test_the_channels_of_a_backbone_are_those_of_its_layers(name):
    with torch.device("meta"):
        trunk = build_backbone(name, 4, imagenet=False)
        maps = trunk.visible_stem(torch.empty(2, 3, 64, 32))
    found = [maps.shape[1]]
    for layer in trunk.layers:
        maps = layer(maps)
        found.append(maps.shape[1])
    assert found == trunk.channels
