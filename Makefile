# Needs python3 (3.11 or newer) and make; everything else is fetched into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_RETRIES=10 PIP_DEFAULT_TIMEOUT=60 PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip
# What the tests need from Debian besides Python; installed when missing and when we may.
DEBIAN_PACKAGES := postgresql chromium fonts-noto-cjk
ARGS ?=
# The clients of tests/clients live apart: their dependencies and ours would quarrel over versions.
CLIENTS := .venv-clients
NODE_CLIENTS := tests/clients/node
# Files of tests run side by side: most of the time is waiting for servers to start and to stop.
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo run test test-clients check bench lint format lock clean debian-packages

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.dev-installed ## make .venv with everything for running, testing and changing it

demo: $(VENV)/.installed ## try it now: embedded upstream, no key, http://127.0.0.1:5005
	$(BIN)/python app.py --demo $(ARGS)

run: $(VENV)/.installed ## serve with your settings (environment, .env); options by ARGS="..."
	$(BIN)/python app.py $(ARGS)

test: install debian-packages ## run the tests; some of them by ARGS="tests/chat -k fold"
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

test-clients: install $(CLIENTS)/.installed $(NODE_CLIENTS)/node_modules/.installed ## run real clients (SDKs, agents) against the server; installs them, 600 MB
	$(BIN)/python -m pytest tests/clients $(ARGS)

check: lint test ## everything a change must pass

lint: install ## format, rules, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## measure; prints the table of docs/performance.md
	$(BIN)/python -m benchmarks $(ARGS)

lock: $(BIN)/uv ## resolve dependencies anew; ARGS="--upgrade" takes newer ones
	$(BIN)/uv lock $(ARGS)
	$(BIN)/uv export --quiet --no-emit-project --no-dev --no-header -o requirements.txt
	$(BIN)/uv export --quiet --no-emit-project --no-header -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --python-version 3.11 $(ARGS) \
		tests/clients/requirements.in -o tests/clients/requirements.txt

clean: ## remove what make made; data/ stays
	rm -rf $(VENV) $(CLIENTS) $(NODE_CLIENTS)/node_modules build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf .import_linter_cache benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo 'Installing into $(VENV); this takes a minute or two.'
	@$(PIP) install --quiet --require-hashes -r requirements.txt
	@echo done > $@

$(VENV)/.dev-installed: requirements-dev.txt pyproject.toml version.txt | $(BIN)/python
	$(PIP) install --require-hashes -r requirements-dev.txt
	$(PIP) install --no-deps -e .
	@touch $(VENV)/.installed $@

$(CLIENTS)/.installed: tests/clients/requirements.txt | $(BIN)/python
	$(PYTHON) -m venv $(CLIENTS)
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(CLIENTS)/bin/python -m pip install --quiet --require-hashes -r $<
	@touch $@

$(NODE_CLIENTS)/node_modules/.installed: $(NODE_CLIENTS)/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix $(NODE_CLIENTS) --no-audit --no-fund && touch $@; \
		else echo 'there is no npm; the clients of Node are skipped' >&2; fi

$(BIN)/uv: | $(BIN)/python
	$(PIP) install uv

# Debian keeps venv in a package of its own. An older pip takes `name[extra]` for a second, unpinned
# requirement beside the locked `name`.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'chat2api needs Python 3.11 or newer; name one with make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call apt_install,python3-venv) \
		|| { echo 'python3 has no venv here; install python3-venv and run make again' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet 'pip>=25'

debian-packages:
	@for package in $(DEBIAN_PACKAGES); do \
		dpkg -s $$package >/dev/null 2>&1 || $(call apt_install,$$package) \
			|| echo "$$package is missing and cannot be installed here; its tests are skipped" >&2; \
	done

# Only as root, and only where apt-get is: we do not ask for passwords.
apt_install = { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(1); }
