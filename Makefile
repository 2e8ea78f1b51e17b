# Duly's doors. `make` alone tells them. Everything but `install` and `lock` installs first, once, and then in no time.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := var/tools

# Compiled once, and not by every process that starts: that takes two seconds.
export PYTHONDONTWRITEBYTECODE =

STAMP  := $(VENV)/.installed
FAST   := $(wildcard tests/unit tests/schemas tests/handlers)

# uv comes from $(TOOLS), put there by pip with the hashes of tools.lock; it never fetches a Python of its own. It trusts
# the machine's certificates where there are any (a company's proxy has its own), else those that it brings.
CERTS := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
UV    := UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 $(if $(CERTS),UV_SYSTEM_CERTS=true) $(TOOLS)/bin/uv

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test check check-deploy bench migrate schemas lock

help: ## Say what can be made
	@if [ -t 1 ] && [ -z "$$NO_COLOR" ]; then c='\033[36m'; r='\033[0m'; else c=''; r=''; fi; \
	printf 'make TARGET\n\n'; \
	sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target words; do \
	  printf "  $$c%-12s$$r %s\n" "$$target" "$$words"; done; \
	printf '\nPYTHON=%s (any Python from 3.11 on: make install PYTHON=/path/to/python)\n' '$(PYTHON)'

install: $(STAMP) ## Make .venv exactly as requirements.lock says

run: $(STAMP) ## Play a sample day through the real workers, embedded; in a terminal, then open inbox, console and mailbox
	@$(BIN)/duly trial

test: $(STAMP) ## Run every test: two files at a time, then what kills and stalls by itself
	@$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/faults
	@$(BIN)/pytest -q tests/faults

check: $(STAMP) ## Lint, format, types, import contracts, schema drift, fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.generate --check
	$(BIN)/pytest -q -m "not slow" $(FAST)

check-deploy: $(STAMP) var/deploy/.installed ## Judge image, compose file, chart and alert rules; start workers in a bare Debian
	@PYTHON='$(PYTHON)' var/deploy/bin/python deploy/check.py

bench: $(STAMP) ## Measure notices a second, the doors, the classifier, dead letters; writes var/bench/*.json
	@$(BIN)/python -m tests.benchmarks.run
	@$(BIN)/python -m tests.benchmarks.doors
	@$(BIN)/python -m tests.benchmarks.classifier
	@$(BIN)/python -m tests.benchmarks.dead_letters

migrate: $(STAMP) ## Bring the database of DULY_DATABASE_URL up to date
	@$(BIN)/duly migrate

schemas: $(STAMP) ## Generate AsyncAPI and JSON Schemas from the messages
	@$(BIN)/python -m schemas.generate

lock: $(TOOLS)/.installed ## Resolve again: requirements.lock and tools.lock
	$(UV) pip compile pyproject.toml --all-extras --python-version 3.11 --upgrade --quiet \
	  --generate-hashes --no-annotate --no-header --output-file requirements.lock
	printf 'uv\nhatchling\neditables\n' | $(UV) pip compile - --python-version 3.11 --upgrade --quiet \
	  --generate-hashes --no-annotate --no-header --output-file tools.lock

$(STAMP): requirements.lock pyproject.toml tools.lock $(TOOLS)/.installed
	@[ -x $(BIN)/python ] && $(BIN)/python -c '' 2>/dev/null || $(UV) venv --quiet --clear --python '$(PYTHON)' $(VENV)
	@echo 'Installing what requirements.lock names into $(VENV)'
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraint tools.lock --editable .
	@touch $@

var/deploy/.installed: deploy/check.lock $(TOOLS)/.installed
	@$(UV) venv --quiet --clear --python '$(PYTHON)' var/deploy
	@$(UV) pip install --quiet --python var/deploy/bin/python --require-hashes -r deploy/check.lock
	@touch $@

$(TOOLS)/.installed: tools.lock deploy/bootstrap.py
	@'$(PYTHON)' deploy/bootstrap.py $(TOOLS) || { command -v '$(PYTHON)' >/dev/null || \
	  echo 'Duly needs Python 3.11 or later: install it, or say make PYTHON=/path/to/python' >&2; exit 1; }
	@touch $@
