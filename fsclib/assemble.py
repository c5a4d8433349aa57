"""From a configuration to the things it names: its images and its network."""

from fsclib.config import Config
from fsclib.data.images import Images, open_images
from fsclib.models.networks import Network, build_model


def images_of(config: Config) -> Images:
    """The data set of a configuration, decoded. Errors: DatasetError with everything that is wrong with it."""
    return open_images(
        config.dataset,
        (config.height, config.width),
        root=config.data_root or None,
        trial=config.trial,
        strict=config.strict,
        workers=config.workers,
    )


def network_of(config: Config, num_classes: int, pretrained: bool) -> Network:
    """The network of a configuration; `pretrained`: with ImageNet weights, which a network that goes on or is tested needs not."""
    return build_model(
        config.network,
        num_classes,
        stages=config.stages,
        modules=config.modules,
        branches=config.branches,
        backbone=config.backbone,
        pretrained=pretrained,
    )
