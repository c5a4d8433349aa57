"""Words for modalities and splits in one's own folders and tables, in lower case."""

from fsclib.data.records import INFRARED, VISIBLE

MODALITY_WORDS = dict.fromkeys(("visible", "vis", "rgb", "color", "colour"), VISIBLE) | dict.fromkeys(
    ("infrared", "ir", "nir", "tir", "lwir", "thermal"), INFRARED
)
SPLIT_WORDS = {"train": "train", "training": "train", "val": "val", "validation": "val", "test": "test", "testing": "test"}
