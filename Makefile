# `make run` and `make test` need git, make and Python >= 3.11 with its venv module, and nothing else: everything is
# installed into $(VENV).  pip's own settings (PIP_INDEX_URL, PIP_FIND_LINKS, a pip.conf ...) apply as they are.

VENV ?= .venv
EXTRAS ?= all,test
ARGS ?=

# The first interpreter that starts, is new enough and can make a virtual environment.  3.11 comes first because the
# versions of constraints.txt were resolved for it; a framework may have no wheel of its pinned version for others.
CANDIDATES := python3.11 python3.12 python3.13 python3
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	if $$python -c '$(USABLE)' >/dev/null 2>&1; then echo $$python; break; fi; done)

BIN := $(VENV)/bin
RUN := build/checks.jsonl.gz
STAMP := $(VENV)/installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test lint docs renew links clean

help: ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

run: $(STAMP) ## Judge every backend (ARGS='--backend torch' and the like are handed on)
	$(BIN)/bce-conformance run $(ARGS)

# The checks use both cores by themselves; the other tests run in as many processes as there are cores, the tests of a
# file in one, and go by the run of the checks where they need a whole one.  Both parts run, whichever fails.
test: $(STAMP) ## Run the checks and the tests (ARGS is handed on to pytest, for both)
	@rm -f $(RUN); failed=0; \
	$(BIN)/python -m pytest cases --output $(RUN) $(ARGS) || failed=$$?; \
	$(BIN)/python -m pytest tests -n auto --dist loadfile --whole-run $(RUN) $(ARGS) || failed=$$?; \
	exit $$failed

lint: $(STAMP) ## Check style, types, cases, problems and what is recorded
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bce-conformance lint

# Warnings are errors, and a link to a file or a heading that is not there is one of them.
docs: $(STAMP) ## Build the site of docs/ into build/site and check the links within it
	$(BIN)/python -m sphinx -W --keep-going -n -q -c docs . build/site
	@echo "build/site/index.html"

renew: $(STAMP) ## Write the pages and data that are generated without a run
	$(BIN)/python -m tools.renew

links: $(STAMP) ## Check the links that leave the site (needs a network; no part of the gate)
	$(BIN)/python -m sphinx -b linkcheck -q -c docs . build/links

install: $(STAMP) ## Only install

# The stamp is written last and removed first: an interrupted installation leaves none.  Where there is none, whatever
# lies in $(VENV) is of unknown state and is made anew.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: no Python >= 3.11 with venv and ensurepip among: $(CANDIDATES);" \
		"install one (Debian, Ubuntu: python3-venv) or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@test -f $@ || { rm -rf "$(VENV)" && "$(PYTHON)" -m venv "$(VENV)"; }
	@rm -f $@
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

clean: ## Remove the virtual environment and everything generated
	rm -rf "$(VENV)" .bce-conformance .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
