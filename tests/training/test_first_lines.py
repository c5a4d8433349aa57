"""What a training says before its first epoch."""

import pytest
import torch

from fsclib.system.device import name_of
from fsclib.training import state
from fsclib.training.loop import fit


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_device_and_precision_are_logged_before_the_first_epoch(home, tiny, monkeypatch, capsys, precision):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(state, "training_steps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny(stages=4, network="agw", precision=precision))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"agw on {name_of(torch.device('cpu'))} (cpu) in {precision}"
