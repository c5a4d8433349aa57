"""How a program ends, without the seconds that another process takes to import torch."""

import runpy
import sys

import pytest


def message(module: str, *words: str) -> str:
    """The message with which `python -m module words` ends, with exit status 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [module, *words])
        for name in (module, f"{module}.__main__"):  # runpy warns if what it runs is imported already
            if not hasattr(sys.modules.get(name), "__path__"):
                patch.delitem(sys.modules, name, raising=False)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__")
    assert isinstance(ended.value.code, str), ended.value.code  # which Python prints before it ends with status 1
    return ended.value.code
