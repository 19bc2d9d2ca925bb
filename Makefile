# One door to everything; `make` alone lists the targets.
# Options: SERVICE=catalogue (test), FAULTS=1000 and SEED=1 (faults), ARGS="..." (passed on), MISSION_PORT_BASE=18080,
# STACK=compose (demo, up, down, status, logs, clean: in containers), STACK=containers (test: Kafka and MongoDB in them).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Paths are relative throughout, so that a directory's name may hold a space.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.installed
PACKAGE := $(subst -,_,$(SERVICE))
# Each process of a test run has a broker and a database of its own.
PARALLEL := -n logical --maxprocesses=4 --no-loadscope-reorder

.PHONY: help setup demo up down status logs test faults faults-prove bench check contracts lock format clean

demo up down status logs clean: export MISSION_STACK := $(or $(STACK),$(MISSION_STACK))

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Make the virtual environment and install what is locked

$(READY): requirements.lock
	@PYTHON=$(PYTHON) bin/setup

demo: $(READY) ## Start the platform and play the whole story
	@$(PY) -m mission demo $(ARGS)

up: $(READY) ## Start the platform; it goes on in the background
	@$(PY) -m mission up --detach $(ARGS)

down: $(READY) ## Stop the platform; the data stays
	@$(PY) -m mission down

status: $(READY) ## Show what runs, how large it is and how far behind
	@$(PY) -m mission status $(ARGS)

logs: $(READY) ## Show the logs, readable (SERVICE=catalogue, ARGS=-f)
	@$(PY) -m mission logs $(SERVICE) $(ARGS)

test: $(READY) ## Run the tests on the real broker and store (SERVICE=catalogue for one service's)
ifdef SERVICE
	@find tests -name '*$(PACKAGE)*' -not -name '*.pyc' | grep -q . || { echo "There are no tests of $(SERVICE)." >&2; exit 1; }
	@find tests -name '*$(PACKAGE)*' -not -path '*/__pycache__*' \( -name 'test_*.py' -o -type d \) -print0 | xargs -0 $(PY) -m pytest $(if $(STACK),--stack=$(STACK)) $(ARGS)
else
	@$(PY) -m pytest $(if $(filter external,$(STACK)),,$(PARALLEL)) $(if $(STACK),--stack=$(STACK)) $(ARGS)
endif

faults: $(READY) ## Break a platform of its own while clients write, and check everything (FAULTS=25 SEED=1)
	@$(PY) -m tests.faults $(if $(FAULTS),--faults=$(FAULTS)) $(if $(SEED),--seed=$(SEED)) $(ARGS)

faults-prove: $(READY) ## Plant known bugs in copies of the code and see that the fault suite finds each
	@$(PY) -m tests.faults.prove $(ARGS)

bench: $(READY) ## Measure the platform beside bare libraries (ARGS="--only relay --quick")
	@$(PY) -m bench $(ARGS)

check: $(READY) ## Lint, format, types, walls, contracts, dashboard, lock, audit, alerts
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check --quiet || { echo "Some files are not formatted; 'make format' does it." >&2; exit 1; }
	@$(PY) -m mypy
	@$(PY) -c 'import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())'
	@$(PY) -m contracts.generate --check
	@$(PY) -m infra.dashboards.generate --check
	@$(PY) -m infra.checks

contracts: $(READY) ## Write JSON Schema and AsyncAPI anew from the models
	@$(PY) -m contracts.generate

lock: $(READY) ## Renew the locks from pyproject.toml
	@$(PY) -m infra.checks --renew

format: $(READY) ## Format the code
	@$(PY) -m ruff check --fix --quiet || true
	@$(PY) -m ruff format

clean: ## Stop the platform and remove its data; downloads stay
	@[ ! -x $(PY) ] || $(PY) -m mission clean
