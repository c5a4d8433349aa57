"""The plain transcription computes the same as fsclib; otherwise their times could not be compared."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from original import deviation, original_entry

from benchmarks.plain import data, losses, metrics, network, training
from benchmarks.plain.network import PlainFSCNet
from fsclib import losses as own_losses
from fsclib import metrics as own_metrics
from fsclib.config import Config
from fsclib.data.augment import normalise
from fsclib.data.images import open_images
from fsclib.models.base import Output
from fsclib.models.fsc import DropPath
from fsclib.models.networks import build_model
from fsclib.models.official import DEAD, branch_channels, load_official, place, use_published_order
from fsclib.retrieval import features as embedding_features
from fsclib.training.settings import settings_of

CLASSES, LABELS = 5, torch.tensor([3, 3, 1, 1]).repeat(2)
ORDERS = pytest.mark.parametrize("published_order", [False, True], ids=["fast order", "published order"])


@pytest.fixture(scope="module")
def state():
    """Weights with which every part affects the output: those that start with zeros would hide MFA."""
    torch.manual_seed(0)
    entries = PlainFSCNet(CLASSES).state_dict()
    random = {name: value for name, value in entries.items() if value.dim() < 2 and not DEAD.match(name)}
    return entries | {name: original_entry(name, list(value.shape)) for name, value in random.items()}


@pytest.fixture
def nets(state, monkeypatch):
    """The plain network and fsclib's with the same weights, without dropout and drop-path."""
    monkeypatch.setattr(network, "DROPOUT", 0.0)
    monkeypatch.setattr(network, "DROP_PATH", 0.0)
    plain, net = PlainFSCNet(CLASSES), build_model("fsc", CLASSES)
    plain.load_state_dict(state)
    load_official(net, state)
    net.dropout.p = 0.0
    for module in net.modules():
        if isinstance(module, DropPath):
            module.rate = 0.0
    return plain, net


def copied(net):
    return {name: parameter.detach().clone() for name, parameter in net.named_parameters()}


@pytest.fixture(scope="module")
def batch():
    """Visible and infrared images, (4, 3, 64, 32) each."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 3, 64, 32, generator=generator)


@ORDERS
def test_a_training_step(nets, batch, published_order):
    plain, net = nets
    use_published_order(net, published_order)
    sgd = training.optimizer(plain.train(), rate=0.01)
    optimizer = settings_of(Config(dataset="llcm", lr=0.01, body_lr=0.001)).optimization.build(net.train())
    before = {side: copied(module) for side, module in (("plain", plain), ("own", net))}

    expected_features, expected_logits = plain(*batch)
    output = net(*batch)
    assert deviation(output.features.flatten(0, 1), expected_features.detach().numpy()) < 1e-4
    assert deviation(output.logits.flatten(0, 1), expected_logits.detach().numpy()) < 1e-4
    parts = own_losses.fsc_loss(output, LABELS)
    parts.total.backward()
    optimizer.step()
    for part, value in zip(parts[:5], training.step(plain, sgd, *batch, LABELS), strict=True):
        assert part.item() == pytest.approx(value.item(), rel=1e-4)

    theirs, own = [], []
    after, channels = copied(net), branch_channels(net)
    for name, value in copied(plain).items():
        move = value - before["plain"][name]
        if DEAD.match(name):
            assert not move.any(), name
            continue
        there = place(name, channels)
        moved = after[there.name] - before["own"][there.name]
        theirs.append(move.flatten())
        own.append((moved if there.rows is None else moved[there.rows]).flatten())
    theirs, own = torch.cat(theirs).double(), torch.cat(own).double()
    assert F.cosine_similarity(own, theirs, dim=0) > 0.999  # gradients amplify rounding: official.use_published_order
    assert own.norm() / theirs.norm() == pytest.approx(1, rel=1e-2)


@ORDERS
def test_embeddings(nets, batch, published_order):
    plain, net = (net.eval() for net in nets)
    use_published_order(net, published_order)
    with torch.no_grad():
        expected, found = plain.embed(batch[0]), net.embed(batch[0], "visible")
    for theirs, own in zip(expected, found, strict=True):
        assert deviation(own.transpose(0, 1).flatten(0, 1), theirs.numpy()) < 1e-4


def test_dropout_and_drop_path_have_the_given_rates(monkeypatch):
    monkeypatch.setattr(network, "DROP_PATH", 0.5)
    monkeypatch.setattr(network, "DROPOUT", 0.5)
    torch.manual_seed(0)
    block, maps = network.GCA(32), torch.randn(64, 32, 4, 2)
    with torch.no_grad():
        whole, some = block.eval()(maps), block.train()(maps)
    dropped = (some == 0).flatten(1).all(1)
    assert 16 < dropped.sum() < 48
    torch.testing.assert_close(some[~dropped], 2 * whole[~dropped])
    with torch.no_grad():
        views = network.DEE(64).train()(torch.ones(2, 64, 8, 4))
    assert (views == 0).float().mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("part", ["total", "identity", "triplet", "cpm", "orthogonality"])
def test_losses_and_their_gradients(part):
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randn(3, 8, size, generator=generator, dtype=torch.float64).requires_grad_() for size in (16, CLASSES)]
    values = getattr(own_losses.fsc_loss(Output(*drawn, neck=drawn[0]), LABELS), part)
    names = own_losses.Parts._fields
    expected = losses.fsc_loss(drawn[0].flatten(0, 1), drawn[1].flatten(0, 1), LABELS)[names.index(part)]
    torch.testing.assert_close(values, expected)
    for own, theirs in zip(
        torch.autograd.grad(values, drawn, allow_unused=True), torch.autograd.grad(expected, drawn, allow_unused=True), strict=True
    ):
        torch.testing.assert_close(*(torch.zeros(1) if gradient is None else gradient for gradient in (own, theirs)))


@pytest.mark.parametrize("protocol", ["sysu", "regdb", "llcm"])
def test_metrics(protocol):
    rng = np.random.default_rng(0)
    query_ids, gallery_ids = rng.integers(0, 30, 40), rng.permutation(np.arange(200) % 30)
    query_cams, gallery_cams = rng.choice([3, 6], 40), rng.choice([1, 2, 3, 6], 200)
    given = (rng.random((40, 200)), query_ids, gallery_ids, query_cams, gallery_cams, protocol)
    found, (cmc, mean_precision, mean_penalty) = own_metrics.evaluate(*given), metrics.evaluate(*given)
    np.testing.assert_allclose(found.cmc, cmc)
    assert found.map == pytest.approx(mean_precision)
    assert found.minp == pytest.approx(mean_penalty)


def test_similarities():
    generator = torch.Generator().manual_seed(2)
    queries, gallery = ([torch.randn(number, 3 * 8, generator=generator) for _ in range(2)] for number in (4, 6))
    views = [[part.numpy() for side in given for part in side.chunk(3, 1)] for given in (queries, gallery)]
    np.testing.assert_allclose(embedding_features.similarity(queries, gallery), metrics.similarity(*views), rtol=1e-5, atol=1e-5)


def test_images_of_an_opened_data_set(home):
    images = open_images("llcm", (64, 32), workers=1, show=False)
    rows = np.arange(10)
    files = [images.dataset.root / path for path in images.records["path"].iloc[rows]]
    pixels = data.open_all(files, 64, 32)
    np.testing.assert_array_equal(images.take(rows), pixels)

    nothing = data.augmentation(64, 32, padding=0, gray=0, flip=0, erase=0)
    torch.testing.assert_close(normalise(torch.from_numpy(pixels)), data.batch(pixels, rows, nothing), rtol=1e-5, atol=1e-5)
