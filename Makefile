# Everyday commands. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_WORKERS ?= 4
PYTEST_ARGS ?=
SOAK_SECONDS ?= 1800
SOAK_KILLS ?= 1000
SOAK_SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help install demo test dev lint format bench bench-realtime soak clean

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sagezoho needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev]'
	@touch $@

install: $(STAMP)  ## Create .venv and install sagezoho with the pinned versions

demo: $(STAMP)  ## Run all flows against both simulated vendors
	$(BIN)/sagezoho demo

test: $(STAMP)  ## Run the whole test suite
	$(BIN)/python -m pytest -n $(TEST_WORKERS) $(PYTEST_ARGS)

dev: $(STAMP)  ## Open the Dagster UI on your configuration, or on the demo's data
	$(BIN)/sagezoho dev

lint: $(STAMP)  ## Style, types and import walls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## Measure a first sync of 10,000 vendors, a first match of 50,000 firms, and briefly real time
	$(BIN)/python -m sagezoho_pipelines_tests.benchmarks.first_sync
	$(BIN)/python -m sagezoho_pipelines_tests.benchmarks.matching
	$(BIN)/python -m sagezoho_pipelines_tests.benchmarks.gateway_load --seconds 5
	$(BIN)/python -m sagezoho_pipelines_tests.benchmarks.latency --samples 10 --sensor-samples 2

bench-realtime: $(STAMP)  ## Measure from a deal closed in Zoho to its order in Sage, and the gateway under load
	$(BIN)/python -m sagezoho_pipelines_tests.benchmarks.gateway_load
	$(BIN)/python -m sagezoho_pipelines_tests.benchmarks.latency

soak: $(STAMP)  ## Break things for an hour or so: SOAK_SECONDS of stories, SOAK_KILLS kills
	SAGEZOHO_SOAK_SECONDS=$(SOAK_SECONDS) SAGEZOHO_SOAK_SEED=$(SOAK_SEED) \
	  $(BIN)/python -m pytest -s sagezoho_pipelines_tests/fault/test_any_order.py
	SAGEZOHO_FAULT_THOROUGH=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) sagezoho_pipelines_tests/fault \
	  sagezoho_pipelines_tests/unit --ignore sagezoho_pipelines_tests/fault/test_any_order.py
	$(BIN)/python -m sagezoho_pipelines_tests.fault.kills --kills $(SOAK_KILLS) --seed $(SOAK_SEED)

clean:  ## Remove what the demo left behind
	rm -rf .sagezoho/demo
