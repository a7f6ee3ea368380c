# Everything a fresh machine needs: Python 3.11 or newer with venv, make, and a package index that pip can reach.
# pip's own settings (PIP_INDEX_URL, PIP_CERT, ...) are honoured; nothing outside this folder is written.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python

EXTRAS_run  :=
EXTRAS_test := [test]
EXTRAS_lint := [test,lint]

.DEFAULT_GOAL := help
.PHONY: help run up test lint bench facts torture fuzz clean
.PRECIOUS: $(VENV)/.%

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /make \1: /p' Makefile

run: $(VENV)/.run ## the main job: every dataset once, through Prefect, in the offline sandbox; ends by itself
	@$(PY) -m flows.service run

up: $(VENV)/.run ## the whole service until Ctrl-C: Prefect server, worker, schedules, sandbox, pages
	@exec $(PY) -m flows.service up

test: $(VENV)/.test ## all tests, on two cores; then what needs Prefect, with a server a core; then what must run alone
	@$(PY) -m pytest -q -n 2 --dist worksteal -m "not prefect and not alone"
	@$(PY) -m pytest -q -n 2 --dist loadfile -m "prefect and not alone"
	@$(PY) -m pytest -q -m alone

torture: $(VENV)/.test ## fifty thousand generated histories against the reference model (HISTORIES=n: so many), for hours
	@HISTORIES=$${HISTORIES:-50000} $(PY) -m pytest -q -n 2 tests/warehouse/test_histories.py

fuzz: $(VENV)/.test ## spoilt answers for every reader, for ten minutes (FUZZ_SECONDS=n), after the seed it names (FUZZ_SEED=n)
	@$(PY) -m tests.connectors.fuzzing

lint: $(VENV)/.lint ## ruff check, ruff format --check, mypy --strict
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

bench: $(VENV)/.test ## what the thousandth publish costs, as a curve, and how quick a replay is
	@$(PY) -m tests.benchmarks.publishes
	@$(PY) -m tests.benchmarks.replay

facts: $(VENV)/.run ## make the sandbox's tables anew from the raw files in ../shared/upstream
	@$(PY) -m connectors.sandbox.make_facts ../shared/upstream

clean: ## remove the environment and all caches; the warehouse stays
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find connectors warehouse expectations flows tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp an extra, so that nothing is installed again while the two files are unchanged. Bytecode is compiled
# afterwards on every core (pip does it on one); package templates that are no Python must not fail that.
$(VENV)/.%: pyproject.toml constraints.txt
	@stop() { echo "make: $$1" >&2; echo "Next: $$2" >&2; exit 1; }; \
	command -v $(PYTHON) >/dev/null || stop "there is no $(PYTHON) here." \
	  "apt-get install python3 python3-venv, or: make PYTHON=/path/to/python3.11"; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop \
	  "$(PYTHON) is $$($(PYTHON) -V 2>&1), but 3.11 or newer is needed." "make PYTHON=/path/to/python3.11"; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || stop \
	  "$(PYTHON) comes without its venv module." "apt-get install python3-venv"; \
	$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || stop \
	  "the environment $(VENV) could not be made." "see that $(CURDIR) is writable and has 1 GB of room."; \
	echo "Installing the pinned packages into $(VENV) (about a minute the first time) ..."; \
	$(PY) -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt \
	  --editable '.$(EXTRAS_$*)' || stop "the packages could not be installed; pip says above why." \
	  "see that pip reaches a package index (PIP_INDEX_URL, PIP_CERT, HTTPS_PROXY), then make again."; \
	$(PY) -m compileall -qq -j 0 $(VENV)/lib || true; \
	touch $(VENV)/.run $@
