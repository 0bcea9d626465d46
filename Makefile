# Each target installs what it needs into .venv; only Python >= 3.11, make and git are expected.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Each test process and each program it starts would compile the whole of it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Hazina needs Python 3.11 or newer; set PYTHON=/path/to/it") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

install: $(STAMP)  ## install everything into .venv

run: $(STAMP)  ## start PostgreSQL, Redis, server, worker and provider sandbox, with a demo tenant
	@exec $(BIN)/hazina up

test: $(STAMP)  ## run the whole test suite on a real PostgreSQL and a real Redis
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --cov --cov-report=
	$(BIN)/coverage report --skip-covered --skip-empty --fail-under=90

check: lint  ## lint, types, import contracts, committed SDL, sizes
	$(BIN)/pytest -q tests/test_sizes.py tests/test_names.py tests/schema/test_sdl.py

lint: $(STAMP)  ## the part of the checks that is no test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

conformance: $(STAMP)  ## what needs node or a browser: HTTP audits, sockets, SSE, the page of an order
	$(BIN)/python -m tests.conformance

faults: $(STAMP)  ## crash at every commit and outside call, and kill processes under load
	$(BIN)/pytest -q -m faults -o log_cli=true --log-cli-level=INFO tests/faults

mutants: $(STAMP)  ## remove one guard of the money paths after another; a test must fail each time
	$(BIN)/python -m tests.mutants.run

bench: $(STAMP)  ## measure, and write bench/results/latest.json
	$(BIN)/python bench/run.py

lock:  ## resolve pyproject.toml again into requirements.lock
	uv pip compile --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --quiet pyproject.toml -o requirements.lock

.PHONY: help install run test check lint conformance faults mutants bench lock
