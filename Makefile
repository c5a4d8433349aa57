# `make demo` and `make test` need Python 3.11 or newer, git and make, and install everything else.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
NOTEBOOKS := 01_data 02_train 03_evaluate
OUT := results/demo/notebooks
DATASET ?= demo
DEVICE ?= cpu
REPORT ?= $(OUT)
TESTS ?= 2

.PHONY: demo weights figures report test test-faults test-browser bench lint clean

demo: .venv/installed
	mkdir -p $(OUT)
	for name in $(NOTEBOOKS); do \
	  $(BIN)/papermill --no-progress-bar --log-output --start-timeout 300 notebooks/$$name.ipynb $(OUT)/$$name.ipynb || exit 1; \
	done
	@$(BIN)/python -m fsclib.runs demo fsc-tiny-seed0

# the weights in fsclib/weights/, from scratch: takes hours, resumable; see tools/make_weights.py
weights: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python tools/make_weights.py

# a paper's figures and tables from the finished runs of a data set: make figures DATASET=llcm
figures: .venv/installed
	mkdir -p results/paper/$(DATASET)
	$(BIN)/papermill --no-progress-bar --log-output --start-timeout 300 notebooks/09_paper.ipynb results/paper/$(DATASET)/09_paper.ipynb -p dataset $(DATASET)

# executed notebooks as web pages, with an index: make report REPORT=results/llcm/ablation
report: .venv/installed
	$(BIN)/python -m workbook.html_report $(REPORT)

# runs TESTS tests at a time, with one core each: most of them wait for processes that they start
test: .venv/installed lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTS) --dist worksteal

# many more kills, broken files, random inputs and processes than make test has time for; the results go into results/faults/
test-faults: .venv/installed
	OMP_NUM_THREADS=1 FSCLIB_FAULTS=long $(BIN)/python -m pytest -n $(TESTS) --dist worksteal tests/faults tests/training/distributed tests/benchmarks \
	  tests/inference/embedder tests/models/test_published_checkpoints.py tests/notebooks/test_notebooks.py tests/training/test_trajectory.py
	@$(BIN)/python tests/faults/tally.py

# JupyterLab in headless Chromium, which must be installed: apt install chromium
test-browser: .venv/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev,browser]'
	FSCLIB_SCREENSHOTS=$(CURDIR)/results/browser $(BIN)/python -m pytest tests/browser

# speed and memory compared with a plain transcription of the method, into results/benchmarks/: make bench DEVICE=cuda
bench: .venv/installed
	$(BIN)/python benchmarks/run.py --device $(DEVICE)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# pip only installs uv, which resolves torch and torchvision to matching builds; bytecode is compiled once, as pip would do
.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[dev]'
	touch $@

clean:
	rm -rf .venv data/demo data/cache $(OUT)
