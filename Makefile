# The commands of this project. CI calls the same ones.
SHELL := /bin/bash
.DEFAULT_GOAL := help

CORE := .venv/bin
PIPELINES := .envs/pipelines/bin
# Which tests: make test TESTS="-m 'not system' tests/unit"
TESTS ?=
# Options of the demo: make demo DEMO="--input DIR --keep"
DEMO ?=

.PHONY: help setup demo test unit check lint bench lock docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make the environments from their locks (a second run is instant)
	@scripts/setup

demo: setup ## bring the whole system up and send files through it; ends in one page
	@$(CORE)/dpps demo $(DEMO)

# The core's tests wait for services more than they compute: the pipelines' tests use what they leave.
test: setup ## run all tests, with the real parts that pip installs
	@mkdir -p reports
	@$(PIPELINES)/python -m pytest -c pipelines/pytest.ini --rootdir=. --junitxml=reports/pipelines.xml \
	    --durations=10 pipelines > reports/pipelines.log 2>&1 & pipelines=$$!; \
	$(CORE)/python -m pytest --junitxml=reports/core.xml --durations=25 $(TESTS); core=$$?; \
	wait $$pipelines; pipelines=$$?; cat reports/pipelines.log; \
	test $$core -eq 0 -a $$pipelines -eq 0
	$(CORE)/dpps-aiv matrix --junit reports/core.xml --junit reports/pipelines.xml --html reports/traceability.html

unit: setup ## run the fast tests only
	$(CORE)/python -m pytest -m "not (postgresql or rucio or parsl or pipelines or system or peer or xrootd)" $(TESTS)

lint: setup ## ruff, mypy, import contracts, spelling
	$(CORE)/ruff check .
	$(CORE)/ruff format --check .
	$(CORE)/mypy
	$(CORE)/mypy --config-file tests/mypy.ini
	$(CORE)/mypy --config-file pipelines/mypy.ini --python-executable $(PIPELINES)/python
	$(CORE)/lint-imports
	$(CORE)/codespell
	$(CORE)/dpps-aiv check
	$(CORE)/towncrier build --draft --version next > /dev/null

check: lint test ## everything that CI runs

bench: setup ## measure and print the figures
	$(CORE)/python -m bench.run

lock: ## resolve the dependencies into locks/ (LOCK=--upgrade for newer versions)
	@scripts/lock $(LOCK)

docs: ## build the documentation into build/docs
	@scripts/setup docs
	.envs/docs/bin/sphinx-build -q -W -b html docs build/docs
	@echo "build/docs/index.html"

clean: ## remove environments, caches and reports
	rm -rf .venv .envs .cache build reports
