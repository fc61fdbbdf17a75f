# Every target needs only git, make, Python 3.11 or later and Java 17 or later; all else is installed into .venv.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The first of these that runs and is new enough; set PYTHON to choose another.
PYTHONS := python3 python3.12 python3.11 python3.13
PYTHON ?= $(shell for p in $(PYTHONS); do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

NOTEBOOKS := git ls-files -z --cached --others --exclude-standard '*.ipynb'

.PHONY: help setup demo test lint format bench up lock clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(READY)  ## Make the environment in .venv (once; again when the dependencies changed)

demo: $(READY)  ## De-identify the real images that pydicom ships, into Delta tables, with a report
	@$(BIN)/lakeward imaging demo

test: $(READY)  ## Run all tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(READY)  ## Check style, types, the areas' boundaries and the notebooks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NOTEBOOKS) | xargs -0 -r $(BIN)/nbstripout --keep-id --verify

format: $(READY)  ## Put code into the house style and strip the notebooks' outputs
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(NOTEBOOKS) | xargs -0 -r $(BIN)/nbstripout --keep-id

bench: $(READY)  ## Measure what all of it costs on this machine: it takes long, and some 40 GB of disk meanwhile
	@$(BIN)/python tests/benchmarks/imaging.py
	@$(BIN)/python tests/benchmarks/ingest.py
	@$(BIN)/python tests/benchmarks/burned_in.py
	@$(BIN)/python tests/benchmarks/tables.py
	@$(BIN)/python tests/benchmarks/commands.py
	@$(BIN)/python tests/benchmarks/jobs.py
	@$(BIN)/python tests/benchmarks/pages.py
	@$(BIN)/python tests/benchmarks/audit.py
	@$(BIN)/python tests/benchmarks/backups.py
	@$(BIN)/python tests/benchmarks/audit_postgresql.py

up: $(READY)  ## Open the workspace: its page of jobs, runs and tables, JupyterLab, MLflow
	@$(BIN)/lakeward up

lock: $(READY)  ## Resolve the dependencies anew into requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra local --extra dev --upgrade --quiet \
		--generate-hashes --no-annotate --custom-compile-command "make lock" -o requirements.lock pyproject.toml

clean:  ## Remove the environment
	rm -rf $(VENV)

# uv itself is pinned, with its hashes, in the lock like everything else; pip installs it, then uv the rest.
$(READY): pyproject.toml requirements.lock lib/lakeward/workspace/jars.sha256
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or later with venv was found. Install one (Debian: python3 python3-venv), or set PYTHON." >&2; \
		exit 3; fi
	@java=$${JAVA_HOME:+$$JAVA_HOME/bin/}java; \
	major=$$("$$java" -version 2>&1 | sed -nE 's/.* version "([0-9]+).*/\1/p' | head -n 1) || true; \
	if [ "$${major:-0}" -lt 17 ]; then \
		echo "Java 17 or later was not found. Install one (Debian: openjdk-17-jre-headless), or set JAVA_HOME." >&2; \
		exit 3; fi
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m lakeward.workspace.jars
	$(BIN)/python -m lakeward.workspace.class_archive
	@touch $@
