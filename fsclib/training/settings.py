"""What a configuration says about the steps of a training."""

from dataclasses import dataclass

from fsclib.config import Config
from fsclib.data.augment import Augmentation
from fsclib.losses import LossWeights
from fsclib.training.objective import Objective
from fsclib.training.optimization import Optimization


@dataclass(frozen=True)
class Settings:
    """What the steps of a training need besides a network and images.

    clip          gradient norm above which gradients are clipped; 0: no clipping
    small_epochs  first epochs, trained on smaller images
    whole_batch   several processes share each batch; False: each has its own
    """

    optimization: Optimization
    objective: Objective
    augmentation: Augmentation
    seed: int = 0
    clip: float = 0.0
    small_epochs: int = 0
    whole_batch: bool = True


def settings_of(config: Config) -> Settings:
    """The settings of a configuration."""
    return Settings(
        Optimization(
            optimizer=config.optimizer,
            lr=config.lr,
            body_lr=config.body_lr,
            schedule=config.schedule,
            epochs=config.epochs,
            warmup=config.warmup,
            warmup_steps=config.warmup_steps,
            decay=config.decay,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        ),
        Objective(
            loss=config.loss,
            weights=LossWeights(
                cpm=config.cpm_weight,
                orthogonality=config.orthogonality_weight,
                triplet_margin=config.triplet_margin,
                cpm_margin=config.cpm_margin,
                label_smoothing=config.label_smoothing,
                metric_on=config.metric_on,
            ),
            ramp_from=config.ramp_from,
            ramp_steps=config.ramp_steps,
            infonce_weight=config.infonce_weight,
            temperature=config.temperature,
            attributes_weight=config.attributes_weight,
        ),
        Augmentation(
            padding=config.padding,
            grayscale=config.grayscale,
            erase=config.erase,
            erase_area=(config.erase_min, config.erase_max),
            channel=config.channel,
            pseudo_infrared=config.pseudo_infrared,
            jitter=config.jitter,
            amplitude_swap=config.amplitude_swap,
            only_visible=config.streams == "visible",
        ),
        seed=config.seed,
        clip=config.clip,
        small_epochs=config.small_epochs,
        whole_batch=config.batch == "global",
    )
