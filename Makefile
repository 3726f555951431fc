# The front door. Needs python3 (3.11 or later) and make; everything else lands in .venv, hashed.
#   make up      a running chain of four validators            make test   every test (20 minutes on two cores)
#   make check   format, lint, types, import contracts         make soak   the long ones
#   make bench   the benchmarks                                make docs   regenerate docs/reference, check links
PYTHON ?= python3
ARGS ?=
JOBS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := src tests tools bench examples

# A moved or copied checkout has an environment that still points to the old place: build it anew.
ifneq ($(wildcard .venv/.root),)
ifneq ($(shell cat .venv/.root),$(CURDIR))
$(shell rm -rf .venv)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help up test test-kubernetes check format bench soak docs lock clean

help:
	@sed -n '1,5s/^# \{0,1\}//p' Makefile

.venv/.root:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("metanode needs Python 3.11 or later, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv || { echo "no venv module: apt-get install python3-venv"; exit 51; }
	@printf '%s' '$(CURDIR)' > $@

.venv/.stamp: requirements.lock pyproject.toml | .venv/.root
	@echo "building .venv (first run, or the lock changed)"
	@$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

.venv/.stamp-dev: requirements-dev.lock .venv/.stamp
	@$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements-dev.lock
	@touch $@

up: .venv/.stamp
	@$(BIN)/bpi up $(ARGS)

check: .venv/.stamp-dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.stamp-dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

# Pure tests share the cores; tests of real processes come last, a file at a time on each, so that nothing starves them.
test: .venv/.stamp-dev
	$(BIN)/python -m pytest -n $(JOBS) -m "not live" $(ARGS)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m live $(ARGS)

# SEEDS: of each storm a round. HOURS: how long; 0 is one round of everything (an hour or so).
SEEDS ?= 4
HOURS ?= 0
soak: .venv/.stamp-dev
	$(BIN)/python -m tests.soak --seeds $(SEEDS) --hours $(HOURS) --jobs $(JOBS) $(ARGS)

# A real Kubernetes, built once from Debian's source package (10 minutes) into METANODE_KUBERNETES_CACHE. Needs root.
test-kubernetes: .venv/.stamp-dev
	$(BIN)/python -m tests.kubernetes $(ARGS)

bench: .venv/.stamp-dev
	@for script in $(basename $(notdir $(wildcard bench/*.py))); do \
		echo "== bench.$$script"; $(BIN)/python -m bench.$$script $(ARGS) || exit 1; done

docs: .venv/.stamp-dev
	$(BIN)/python tools/docs.py

lock:
	$(PYTHON) tools/lock.py $(ARGS)

clean:
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
