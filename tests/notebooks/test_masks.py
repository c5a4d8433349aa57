"""Redrawn masks equal those that the generator writes, and masks that cannot be redrawn are refused."""

import json

import numpy as np
import pytest
from corpora import images, tree, written
from PIL import Image

from workbook.masks import MaskError, part_masks, read_corpus


@pytest.mark.parametrize(
    ("layout", "worlds"), [("llcm", {}), ("sysu", {}), ("regdb", {}), ("llcm", {"worlds": 3, "infrared": "mixed"})]
)
def test_redrawn_masks_equal_the_written_ones(tmp_path, layout, worlds):
    folder = written(tmp_path / "c", layout, identities=12 if worlds else 4, masks=True, **worlds)
    shuffled = sorted(images(tree(folder)), key=lambda path: hash_of(path))  # not in the order of the corpus
    paths = shuffled[:: 6 if worlds else 1][:6]
    for path, mask in zip(paths, part_masks(folder, paths), strict=True):
        with Image.open(folder / "masks" / f"{path.rpartition('.')[0]}.png") as image:
            np.testing.assert_array_equal(mask, np.asarray(image))


def hash_of(path):
    return sum(ord(letter) * 31**place for place, letter in enumerate(path)) % 1009


def test_a_corpus_without_mask_files_has_the_same_masks(tmp_path):
    with_masks, without = (written(tmp_path / str(masks), identities=4, masks=masks) for masks in (True, False))
    paths = sorted(images(tree(without)))[::7]
    np.testing.assert_array_equal(part_masks(without, paths), part_masks(with_masks, paths))
    assert read_corpus(without).masks is False


def test_a_folder_without_corpus_json_has_no_masks(tmp_path):
    with pytest.raises(MaskError, match=r"has no corpus\.json: masks exist for synthetic people only"):
        part_masks(tmp_path, ["vis/0001/a.jpg"])


def test_unknown_images_and_other_drawing_versions_are_refused(tmp_path):
    folder = written(tmp_path / "c", identities=4)
    with pytest.raises(MaskError, match=r"found 1 images, such as vis/0001/a\.jpg"):
        part_masks(folder, ["vis/0001/a.jpg"])
    mark = folder / "corpus.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"drawing": 1}))
    with pytest.raises(MaskError, match="found drawing 1, expected"):
        part_masks(folder, sorted(images(tree(folder)))[:1])
