"""ResNet v1.5 (He et al., CVPR 2016, with the stride of a bottleneck in its 3×3 convolution).

Parameter names, initialisation and the order of random draws are torchvision's: its ImageNet weights load, and a seed gives the
same network. torchvision is not imported, because that takes longer than importing the rest of fsclib.
"""

from collections.abc import Sequence

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut: (B, channels, H, W) → (B, width, H/stride, W/stride)."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int = 1, downsample: nn.Module | None = None):
        super().__init__()
        self.conv1, self.bn1 = convolution(3, channels, width, stride), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = convolution(3, width, width), nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, features: Tensor) -> Tensor:
        output = self.relu(self.bn1(self.conv1(features)))
        output = self.bn2(self.conv2(output))
        output += features if self.downsample is None else self.downsample(features)
        return self.relu(output)


class Bottleneck(nn.Module):
    """A 1×1, a 3×3 and a 1×1 convolution and a shortcut: (B, channels, H, W) → (B, 4·width, H/stride, W/stride)."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int = 1, downsample: nn.Module | None = None):
        super().__init__()
        self.conv1, self.bn1 = convolution(1, channels, width), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(3, width, width, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = convolution(1, width, 4 * width), nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, features: Tensor) -> Tensor:
        output = self.relu(self.bn1(self.conv1(features)))
        output = self.relu(self.bn2(self.conv2(output)))
        output = self.bn3(self.conv3(output))
        output += features if self.downsample is None else self.downsample(features)
        return self.relu(output)


Block = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """The parts of a ResNet with a stem of 64 channels: conv1, bn1, layer1 … layer4, and fc, which only the ImageNet weights need.

    depths: the number of blocks of each layer.
    """

    def __init__(self, block: Block, depths: Sequence[int]):
        super().__init__()
        self.conv1, self.bn1 = convolution(7, 3, 64, 2), nn.BatchNorm2d(64)
        one, two, three, four = depths
        self.layer1 = layer(block, 64, 64, one, stride=1)
        self.layer2 = layer(block, 64 * block.expansion, 128, two, stride=2)
        self.layer3 = layer(block, 128 * block.expansion, 256, three, stride=2)
        self.layer4 = layer(block, 256 * block.expansion, 512, four, stride=2)
        self.fc = nn.Linear(512 * block.expansion, 1000)
        initialise(self)


def layer(block: Block, channels: int, width: int, depth: int, stride: int) -> nn.Sequential:
    """`depth` blocks; the first one changes the number of channels and the size."""
    out, downsample = width * block.expansion, None
    if stride != 1 or channels != out:
        downsample = nn.Sequential(convolution(1, channels, out, stride), nn.BatchNorm2d(out))
    return nn.Sequential(block(channels, width, stride, downsample), *(block(out, width) for _ in range(depth - 1)))


def initialise(net: nn.Module) -> None:
    """Draws all weights of convolutions: He's normal distribution, by the number of outputs."""
    for part in net.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")


def convolution(size: int, channels: int, out: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size of a map up to the stride."""
    return nn.Conv2d(channels, out, size, stride, padding=size // 2, bias=False)


def half_resnet18() -> ResNet:
    """A ResNet-18 of half the width: 32 channels in the stem, 32, 64, 128 and 256 in the layers; 1/8 of ResNet-50's parameters."""
    net = ResNet(BasicBlock, (1, 1, 1, 1))  # all replaced, but drawn: the random numbers that follow stay those of earlier versions
    net.conv1, net.bn1 = convolution(7, 3, 32, 2), nn.BatchNorm2d(32)
    net.layer1 = layer(BasicBlock, 32, 32, 2, stride=1)
    net.layer2 = layer(BasicBlock, 32, 64, 2, stride=2)
    net.layer3 = layer(BasicBlock, 64, 128, 2, stride=2)
    net.layer4 = layer(BasicBlock, 128, 256, 2, stride=2)
    net.fc = nn.Linear(256, 1000)
    initialise(net)
    return net


def resnet18() -> ResNet:
    return ResNet(BasicBlock, (2, 2, 2, 2))


def resnet34() -> ResNet:
    return ResNet(BasicBlock, (3, 4, 6, 3))


def resnet50() -> ResNet:
    return ResNet(Bottleneck, (3, 4, 6, 3))


def resnet101() -> ResNet:
    return ResNet(Bottleneck, (3, 4, 23, 3))
