"""Batches read ahead by a thread equal those read one by one."""

import threading
import time

import numpy as np
import pytest
import torch

from fsclib.data.augment import Augmentation, augment
from fsclib.data.batches import batches

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 16, 8, 3), dtype=np.uint8)
SETTINGS = Augmentation(padding=2)


def epoch(steps=7, images=4, seed=0):
    source = np.random.default_rng(seed)
    return [source.integers(0, len(PIXELS), (steps, images)) for _ in range(3)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_batches_are_the_rows_augmented_in_order(tmp_path):
    np.save(tmp_path / "pixels.npy", PIXELS)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r", allow_pickle=False)
    visible, infrared, labels = epoch()
    plain = generator(3)
    number = 0
    for step, batch in enumerate(batches(mapped, visible, infrared, labels, "cpu", generator(3), SETTINGS)):
        rows = np.concatenate([visible[step], infrared[step]])
        expected = augment(torch.from_numpy(PIXELS[rows]), plain, SETTINGS)
        assert torch.equal(batch[0], expected[:4])
        assert torch.equal(batch[1], expected[4:])
        assert batch[2].tolist() == labels[step].tolist()
        assert batch[2].dtype == torch.int64
        number += 1
    assert number == 7
    assert not reading_threads()


def test_parts_of_a_batch_are_augmented_as_in_the_whole_batch():
    drawn = epoch()
    whole = batches(PIXELS, *drawn, "cpu", generator(3), SETTINGS)
    parts = [batches(PIXELS, *drawn, "cpu", generator(3), SETTINGS, part) for part in (slice(0, 2), slice(2, 4))]
    for batch, first, second in zip(whole, *parts, strict=True):
        for place in (0, 1):
            assert torch.equal(batch[place], torch.cat([first[place], second[place]]))
        assert torch.equal(batch[2], first[2])
        assert torch.equal(batch[2], second[2])


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_short_epochs(steps):
    assert len(list(batches(PIXELS, *epoch(steps), "cpu", generator(), SETTINGS))) == steps
    assert not reading_threads()


def test_generator_advances_once_per_batch_and_not_ahead():
    ours, plain = generator(1), generator(1)
    iterator = batches(PIXELS, *epoch(), "cpu", ours, SETTINGS)
    assert torch.equal(ours.get_state(), plain.get_state())
    for _ in range(2):
        next(iterator)
        time.sleep(0.01)  # time for the reading thread to get ahead
        augment(torch.from_numpy(PIXELS[:8]), plain, SETTINGS)
        assert torch.equal(ours.get_state(), plain.get_state())
    iterator.close()


def test_closing_early_ends_the_thread():
    iterator = batches(PIXELS, *epoch(100), "cpu", generator(), SETTINGS)
    next(iterator)
    assert len(reading_threads()) == 1
    iterator.close()
    assert not reading_threads()


def test_leaving_the_loop_ends_the_thread():
    for _ in batches(PIXELS, *epoch(100), "cpu", generator(), SETTINGS):
        break
    assert not reading_threads()


def test_an_error_in_the_reading_thread_reaches_the_loop():
    visible, infrared, labels = epoch()
    visible[3, 1] = len(PIXELS)
    seen = []
    with pytest.raises(IndexError, match="out of bounds"):
        seen.extend(batch for batch in batches(PIXELS, visible, infrared, labels, "cpu", generator(), SETTINGS))
    assert len(seen) == 3
    assert not reading_threads()


def test_an_error_in_the_loop_ends_the_thread():
    def train():
        for _ in batches(PIXELS, *epoch(100), "cpu", generator(), SETTINGS):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert not reading_threads()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_on_the_gpu_match_those_on_the_cpu():
    rows = epoch(20)
    on_cpu = list(batches(PIXELS, *rows, "cpu", generator(), SETTINGS))
    on_gpu = list(batches(PIXELS, *rows, "cuda", generator(), SETTINGS))
    for expected, found in zip(on_cpu, on_gpu, strict=True):
        for left, right in zip(expected, found, strict=True):
            assert right.is_cuda
            torch.testing.assert_close(right.cpu(), left, atol=1e-6, rtol=0)
