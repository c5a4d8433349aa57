"""Losses and weights that are not finite are noticed in time, without waiting at every step, and reported in detail."""

from itertools import count

import pytest
import torch
from test_steps import Counter
from torch import nn

from fsclib.losses import Parts
from fsclib.system.processes import ALONE
from fsclib.system.progress import progress
from fsclib.training import divergence
from fsclib.training.divergence import LOOK, NotFinite, mean_losses, spoilt


def steps(taken, wrong=(), number=None):
    """Yields losses 1, 2, …, infinite ones for the steps in `wrong`; `taken` collects the steps taken."""
    for step in count() if number is None else range(number):
        taken.append(step)
        yield Parts(*torch.full((len(Parts._fields),), float("inf") if step in wrong else step + 1.0))


def average(found, net=None):
    return mean_losses(found, net or nn.Linear(1, 1), progress(1, "steps", shown=False))


def test_losses_are_averaged_over_all_steps():
    for number in (1, LOOK - 1, LOOK, LOOK + 1, 3 * LOOK):
        row = average(steps([], number=number))
        assert row.pop("seconds") >= 0
        assert row == dict.fromkeys(Parts._fields, (number + 1) / 2)


@pytest.mark.parametrize("step", [0, 7, LOOK - 1, LOOK, 2 * LOOK + 3])
def test_a_loss_that_is_not_finite_is_noticed_at_the_next_check(step):
    taken = []
    with pytest.raises(NotFinite, match=rf"^step {step + 1}: the loss is not finite \(total inf, ") as caught:
        average(steps(taken, {step, step + 1}))
    assert caught.value.step == step
    assert len(taken) == LOOK * (step // LOOK + 1)


def test_the_device_is_waited_for_once_per_check():
    net = nn.Identity()  # no weights, which would be checked as well
    with Counter() as counter:
        average(steps([], number=4 * LOOK), net)
    assert counter.waits.count("nonzero") == 4
    assert len(counter.waits) <= 4


def test_weights_are_checked_after_losses_that_are_finite():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert spoilt(net) == ""
    net[1].running_mean[1] = float("nan")
    assert spoilt(net) == "1.running_mean"
    with pytest.raises(
        NotFinite, match=r"^step 3: weights are not finite after this step \(1\.running_mean is the first; .*total 3,"
    ):
        average(steps([], number=3), net)
    with pytest.raises(NotFinite, match=r"^step 2: the loss"):
        average(steps([], {1}, number=3), net)


class Spoiling:
    """Stands in for a training whose step `at` spoils the weights, which its loss does not show."""

    def __init__(self, at):
        self.at, self.begun = at, 0

    processes = ALONE

    def shared(self, net):
        return net

    def left_off(self):
        self.begun += 1
        net = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(net.weight)
        return net, None, {"epoch": 4}

    def steps(self, net, optimizer, epoch):
        for step, parts in enumerate(steps([])):
            net.weight.data += float("nan") if step == self.at else 1
            yield parts


def test_a_step_that_spoils_the_weights_is_the_one_reported():
    training = Spoiling(at=2)
    found, net, _, state = divergence.before(training, 5, NotFinite(6, {"total": float("nan")}))
    assert (found.step, found.tensor, found.parts["total"]) == (2, "weight", 3.0)
    assert (net.weight.item(), state, training.begun) == (2.0, {"epoch": 4}, 2)


def test_a_loss_that_fails_on_finite_weights_is_the_one_reported():
    training = Spoiling(at=6)
    wrong = NotFinite(6, {"total": float("nan")})
    found, net, _, _ = divergence.before(training, 5, wrong)
    assert found is wrong
    assert (net.weight.item(), training.begun) == (6.0, 1)
