# What people type here; `make help` explains.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
AUDIT := $(VENV)/audit
DATABASE ?= osv
N ?= 5
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --strip-extras --no-header pyproject.toml

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: help setup demo test faults attacks check audit bench lock clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | expand -t 10

setup: $(READY)  ## Install everything into .venv (once; again when the lock changes)

$(READY): requirements/dev.txt pyproject.toml
	@PYTHON=$(PYTHON) deploy/set-up.sh $(VENV)
	@touch $@

demo: setup  ## Start the servers, record two agent runs, evaluate and check them
	@$(BIN)/python examples/demo.py

test: setup  ## Run every test on real servers (about 50 minutes on two cores)
	@deploy/set-up-browser.sh
	@$(BIN)/python -m pytest

faults: setup  ## Kill, cut off and fill up what records, N times each: make faults N=200
	@AGENTRUNS_TRIALS=$(N) $(BIN)/python -m pytest -q tests/faults tests/integration/test_evaluation_kill.py

attacks: setup  ## Attack each store as everybody who is kept out of it, and print what was refused
	@$(BIN)/python -m pytest -q -m promise tests/security tests/unit tests/integration/test_minio_adapter.py

check: setup  ## Format, lint, types, import rule, SQL, documents, secrets in the repository
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_documents.py tests/unit/test_review.py tests/integration/test_queries_prepare.py

# An environment of its own: what looks at the locked packages must not change them. --strict: a
# database that does not know a package is no good news.
audit: setup  ## Look the locked packages up in a database of vulnerabilities (needs the network)
	@test -x $(AUDIT)/bin/pip-audit || $(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/pip install --quiet 'pip-audit==2.10.1'
	@$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes -s $(DATABASE) -r requirements/dev.txt

bench: setup  ## Print our figures beside the raw drivers' (about 10 minutes)
	@$(BIN)/python -m benchmarks

lock: setup  ## Choose the newest allowed versions and write them down with hashes
	$(UV) --upgrade -o requirements/agent.txt
	$(UV) --upgrade --extra server --extra stack -o requirements/server.txt
	$(UV) --upgrade --extra server --extra stack --extra cua --group dev -o requirements/dev.txt

clean:  ## Remove what was built here; recorded data and caches elsewhere stay
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
