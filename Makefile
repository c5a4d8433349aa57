# `make demo` and `make test` need Python 3.11 or newer, git and make, and bring everything else themselves.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
NOTEBOOKS := 01_data 02_train 03_evaluate 06_ablation
OUT := results/demo/notebooks

.PHONY: demo test lint clean

demo: .venv/installed
	mkdir -p $(OUT)
	for name in $(NOTEBOOKS); do \
	  $(BIN)/papermill --no-progress-bar --log-output --start-timeout 300 notebooks/$$name.ipynb $(OUT)/$$name.ipynb || exit 1; \
	done
	@$(BIN)/python -m fsclib.runs demo fsc-tiny-seed0

test: .venv/installed lint
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .

# pip only brings uv, which resolves torch and torchvision to builds that belong together
.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	touch $@

clean:
	rm -rf .venv data/demo data/cache $(OUT)
