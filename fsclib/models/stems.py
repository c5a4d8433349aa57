"""States of networks with one stem, in the form of those with two."""

from collections.abc import Mapping

from torch import Tensor

MODALITIES = ("visible", "infrared")  # in the order of the zero-padded input's channels


def separated(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's state with a stem for each modality, which sees three channels; a single stem becomes both.

    A zero-padded input's convolution (C, 2, h, w) is divided among the colours, so that it acts alike on gray images.
    """
    found = {}
    for name, value in state.items():
        if not name.startswith("stem."):
            found[name] = value
            continue
        for channel, modality in enumerate(MODALITIES):
            padded = name == "stem.conv.weight" and value.shape[1] == len(MODALITIES)
            own = value[:, channel : channel + 1].expand(-1, 3, -1, -1) / 3 if padded else value
            found[f"{modality}_{name}"] = own
    return found
