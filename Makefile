# Every target makes its own environment in .venv first; nothing outside this folder is touched.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.PHONY: help install requirements demo test check bench schemas clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: .venv/.installed ## the environment in .venv, with the `symmv` command

requirements: .venv/.requirements ## the packages that constraints.txt pins, without this one

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no python3 found; install Python 3.11 or set PYTHON=" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is older than Python 3.11; install 3.11 or set PYTHON=/path/to/python3.11" >&2; exit 2; }
	"$(PYTHON)" -m venv .venv

# torch is the one package installed with its dependencies: a CPU build has none that matter,
# the CUDA build does not import without them. Which build it is, pip's index decides.
.venv/.requirements: requirements.txt requirements-hashed.txt constraints.txt | .venv/bin/python
	$(PIP) install --no-deps -r requirements.txt -c constraints.txt
	$(PIP) install --no-deps --require-hashes -r requirements-hashed.txt
	$(PIP) install torch -c constraints.txt
	touch $@

.venv/.installed: .venv/.requirements pyproject.toml
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## recordings made here, through every stage, to shards, models and new music
	$(BIN)/symmv demo

test: install ## the tests
	$(BIN)/python -m pytest -q --numprocesses logical --maxprocesses 4 --dist loadfile

check: install ## style, types, arrows, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m symmv_builder.datasets.schemas --check schemas

bench: install ## what stages, shards and training steps cost; SONGS=FOLDER for those on MIDI files
	@for name in building stages transcription decode shards loading linear_attention amt; do \
	  echo "== $$name"; $(BIN)/python benchmarks/$$name.py; done
	@for name in melody_rules quantisation screening solo_piano; do \
	  if [ -n "$(SONGS)" ]; then echo "== $$name"; $(BIN)/python benchmarks/$$name.py "$(SONGS)"; \
	  else echo "== $$name needs SONGS=FOLDER, a folder of MIDI files"; fi; done

schemas: install ## write the published row formats out of the code
	$(BIN)/python -m symmv_builder.datasets.schemas schemas

clean: ## remove the environment, caches and demo output
	rm -rf .venv build dist demo-output *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
