# Two commands do everything on a fresh machine: `make report` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Idle OpenMP threads must not spin: on shared cores that makes the same operation fifty times slower.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: setup report quick reference test gpu lint types imports bench clean gallery

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "wnverify needs Python 3.11 to 3.13; $$($(PYTHON) --version) is first on PATH. Name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

report: setup
	$(BIN)/python -m wnverify report --out reports/latest

quick: setup
	$(BIN)/python -m wnverify report --quick --out reports/latest

# The reference report of this version, kept in the repository.
reference: setup
	$(BIN)/python -m wnverify report --out reports

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# On a machine with a GPU and a PyTorch that can use it: the shared tests of every method, on that GPU.
gpu: setup
	$(BIN)/python -m pytest -m gpu

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python benchmarks/gradient_engine.py --json benchmarks/gradient_engine.json
	$(BIN)/python benchmarks/memory.py --json benchmarks/memory.json

# Public maps of weights, in an environment of their own; see examples/gallery/README.md.
gallery:
	$(PYTHON) -m venv examples/gallery/.venv
	cd examples/gallery && .venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint ../../constraints.txt ../..
	cd examples/gallery && .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--requirement requirements.txt
	cd examples/gallery && .venv/bin/python run.py $$(cat targets.txt)

clean:
	rm -rf $(VENV) reports/latest dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .wnverify
