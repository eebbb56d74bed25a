# Every target makes its own environment in .venv first; nothing outside this folder is touched.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
# Tests and examples start hundreds of processes. Where Python is told to keep no compiled modules, each
# of them compiles all that it imports anew, which doubles the time; .venv is ours to keep them in.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
UV := $(BIN)/python -m installation.uv
# Empty in an image, which keeps the environment without the checkout.
EDITABLE := --editable
LAYERS := run flows train dev
LOCK := $(LAYERS:%=requirements/%.txt) requirements/torch.txt requirements/uv.txt

# Which tests `make test TESTS=...` runs. The markers are told in pyproject.toml.
TESTS := quick
TESTS_quick := -m "not slow and not long"
TESTS_merge := -m "not long"
TESTS_all :=

.PHONY: help install requirements lock demo test check extras bench schemas docs clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: .venv/.installed ## the environment in .venv, with the `symmv` command

requirements: .venv/.requirements ## the packages that the lock pins, without this one

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no python3 found; install Python 3.11 or set PYTHON=" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is older than Python 3.11; install 3.11 or set PYTHON=/path/to/python3.11" >&2; exit 2; }
	"$(PYTHON)" -m venv .venv

# uv installs the lock, in a fraction of pip's time; `make install UV=` has pip do it. torch is left to
# pip, with its dependencies: which build it is, pip's own index decides; a CPU build has none that
# matter, a CUDA build does not import without them. Both compile a module when it is first imported.
.venv/.requirements: $(LOCK) installation/uv.py | .venv/bin/python
ifeq ($(UV),)
	$(PIP) install --no-deps --require-hashes $(LAYERS:%=-r requirements/%.txt)
else
	$(PIP) install --no-deps --require-hashes -r requirements/uv.txt
	$(UV) pip install --python $(BIN)/python --no-deps --require-hashes $(LAYERS:%=-r requirements/%.txt)
endif
	$(PIP) install --no-compile -r requirements/torch.txt
	touch $@

.venv/.installed: .venv/.requirements pyproject.toml setup.py
	$(PIP) install --no-deps --no-build-isolation $(EDITABLE) .
	touch $@

lock: .venv/bin/python ## the lock anew out of pyproject.toml; UPGRADE=NAME or UPGRADE=all for newer versions
	$(PIP) install --no-deps --require-hashes -r requirements/uv.txt
	$(BIN)/python -m installation.lock $(if $(UPGRADE),--upgrade $(filter-out all,$(UPGRADE)))

demo: install ## two minutes: recordings made here, both builds, new music, one page of it all
	$(BIN)/symmv demo --quick

test: install ## the tests; TESTS=merge for the slow ones too: whole systems and big models; TESTS=all for all
	@test -n "$(filter quick merge all,$(TESTS))" || { echo "error: TESTS is quick, merge or all" >&2; exit 2; }
	$(BIN)/python -m pytest -q $(TESTS_$(TESTS)) \
	  --numprocesses auto --dist loadfile --no-loadscope-reorder

check: install ## style, types, arrows, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m symmv_builder.datasets.schemas --check schemas
	$(BIN)/python -m installation.lock --check

extras: install ## the wheel, and every extra of it in a fresh environment; EXTRAS="crawl train" for some
	$(BIN)/python -m installation.extras --python "$(PYTHON)" $(EXTRAS)

bench: install ## what stages, shards and training steps cost; SONGS=FOLDER for those on MIDI files
	@for name in building stages transcription decode shards loading linear_attention amt; do \
	  echo "== $$name"; $(BIN)/python benchmarks/$$name.py; done
	@for name in melody_rules quantisation screening solo_piano; do \
	  if [ -n "$(SONGS)" ]; then echo "== $$name"; $(BIN)/python benchmarks/$$name.py "$(SONGS)"; \
	  else echo "== $$name needs SONGS=FOLDER, a folder of MIDI files"; fi; done

schemas: install ## write the published row formats out of the code
	$(BIN)/python -m symmv_builder.datasets.schemas schemas

docs: install ## the documentation as a site, in site/; fails on warnings and dead links
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean: ## remove the environment, caches and demo output
	rm -rf .venv build dist site demo-output *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
