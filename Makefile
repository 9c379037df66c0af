# Everything happens in .venv, which the first target that needs it creates. Python 3.11 or newer and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test check format lock clean

help: ## Say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.installed ## Boot everything on this machine, fire tickets, show what became of them
	$(BIN)/countersign demo

# Two workers a core: a test waits for the database, a browser or a vendor's double as long as it computes.
test: $(VENV)/.installed-dev ## Run the tests on a real PostgreSQL
	$(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * os.cpu_count())')

check: $(VENV)/.installed-dev ## Style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Derive requirements.txt and requirements-dev.txt from their .in files, in an environment of its own
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet $$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.in)
	build/lock/bin/pip install --quiet -r requirements.in
	{ echo '# Everything that is installed, pinned. Made by `make lock`; change requirements.in instead.'; \
	  build/lock/bin/pip freeze | sed 's/+cpu$$//' | LC_ALL=C sort -f; } > build/requirements.txt
	build/lock/bin/pip install --quiet -r requirements-dev.in
	{ echo '# What tests and checks need besides, pinned. Made by `make lock`; change requirements-dev.in instead.'; \
	  echo '-r requirements.txt'; \
	  build/lock/bin/pip freeze | sed 's/+cpu$$//' | LC_ALL=C sort -f | grep -vxFf build/requirements.txt; } \
	  > build/requirements-dev.txt
	mv build/requirements.txt build/requirements-dev.txt .

clean: ## Remove the environment and what tools left; data folders stay
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps lie inside of the environment: who removes it removes them too. What has not changed is not looked at again.
$(VENV)/.installed: requirements.txt requirements.in pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet $$(grep '^torch==' requirements.txt)
	$(PIP) install --quiet -r requirements.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) install --quiet -r requirements-dev.txt
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Countersign needs Python 3.11 or newer and found '$$($(PYTHON) --version 2>&1 | head -n 1)' as '$(PYTHON)';" \
	       "install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
