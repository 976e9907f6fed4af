# The verbs that people and CI call. Each sets up what it needs; nothing but Python 3.11+ and make is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check proof bench bench-docs docs model clean

demo: $(READY)
	$(BIN)/python examples/demo.py

test: check
	$(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

proof: $(READY)
	$(BIN)/pytest -m proof

bench: $(READY)
	$(BIN)/python -m benchmarks $(CASE)

bench-docs: $(READY)
	$(BIN)/python -m benchmarks.page > docs/performance.md

docs: $(READY)
	$(BIN)/python -c 'from pyflow.replay.machine import page; print(page(), end="")' > docs/state-machines.md
	$(BIN)/python -m pyflow.local.catalogue docs/local-service.md

model: $(READY)
	$(BIN)/python src/pyflow/swf/generate.py

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pyflow needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) .bench build dist .mypy_cache .pytest_cache .ruff_cache
