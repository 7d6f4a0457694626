# What people type here; `make help` explains.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
N ?= 5
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header pyproject.toml

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: help setup demo test faults check bench lock clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | expand -t 10

setup: $(READY)  ## Install everything into .venv (once; again when the lock changes)

$(READY): requirements/dev.txt pyproject.toml
	@PYTHON=$(PYTHON) deploy/set-up.sh $(VENV)
	@touch $@

demo: setup  ## Start the servers, record two agent runs, evaluate and check them
	@$(BIN)/python examples/demo.py

test: setup  ## Run every test on real servers (about 20 minutes on two cores)
	@$(BIN)/python -m pytest

faults: setup  ## Kill, cut off and fill up what records, N times each: make faults N=200
	@AGENTRUNS_TRIALS=$(N) $(BIN)/python -m pytest -q tests/faults tests/integration/test_evaluation_kill.py

check: setup  ## Format, lint, types, import rule, SQL, documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_documents.py tests/integration/test_queries_prepare.py

bench: setup  ## Print our figures beside the raw drivers' (about 10 minutes)
	@$(BIN)/python -m benchmarks

lock: setup  ## Choose the newest allowed versions and write them down with hashes
	$(UV) --upgrade -o requirements/agent.txt
	$(UV) --upgrade --extra server --extra stack -o requirements/server.txt
	$(UV) --upgrade --extra server --extra stack --extra cua --group dev -o requirements/dev.txt

clean:  ## Remove what was built here; recorded data and caches elsewhere stay
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
