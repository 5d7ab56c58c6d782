# `make` lists the targets. Every target sets up what it needs; what is set up already is only looked at.

# A distribution's own Python first: it is built with profile-guided optimization, which pyenv's is not unless it is asked
# to be. That is a tenth of the suite's time. One that cannot make environments is taken only where there is no other.
PYTHON3 ?= $(shell for fits in '$(WHOLE)' '$(NEW_ENOUGH)'; do \
	for python in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c "$$fits" 2>/dev/null && echo $$python && break 2; done; done)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
WHOLE := import ensurepip, sys; sys.exit(sys.version_info < (3, 11))
PYTHON := .venv/bin/python
# Compiled once, not by each of the hundreds of processes that the tests start, whatever the surroundings say.
export PYTHONDONTWRITEBYTECODE :=
SOURCES = $(wildcard __main__.py bluegreen components providers simulator examples demo bench tools tests)
UV := uv==0.13.9
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# The engine's directory and .venv first on PATH: that is how the demo, the tests and Pulumi itself find both.
WITH_ENGINE = engine="$$($(PYTHON) -m tools.engine)" && PATH="$(CURDIR)/.venv/bin:$$engine:$$PATH" &&

# Three more than there are cores: the real processes of a test wait for one another for a good part of their time. With
# one more a tenth of two cores was idle, with three more nothing, but for the first and the last half minute (measured).
WORKERS = $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 3)')

LOOKING = status history timeline explain
SIZES = $(if $(PLAYERS),--players $(PLAYERS)) $(if $(MACHINES),--machines $(MACHINES))

.DEFAULT_GOAL := help
.PHONY: help demo demo-unsafe local test check faults soak bench docs lock clean venv engine $(LOOKING)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: venv ## deploy v1, then v2, under a load of players, on local Fly and S3: make demo PLAYERS=20 MACHINES=3
	@$(WITH_ENGINE) $(PYTHON) -m demo $(SIZES) $(ARGS)

demo-unsafe: venv ## the demo twice, in this order and in Fly's own, side by side: what the same deploy loses there
	@$(WITH_ENGINE) $(PYTHON) -m demo.unsafe $(SIZES) $(ARGS)

local: venv ## run local Fly and S3 on the dev stack's ports, for pulumi in another terminal
	@$(WITH_ENGINE) $(PYTHON) -m demo.local

test: venv ## run the tests: make test ARGS="-k planner -x"
	@$(WITH_ENGINE) $(PYTHON) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: venv ## check format, lint and types
	$(PYTHON) -m ruff format --check $(SOURCES)
	$(PYTHON) -m ruff check $(SOURCES)
	$(PYTHON) -m mypy $(SOURCES)

faults: venv ## write the fault matrix anew (tests/faults/matrix.txt) and say what broke
	@$(PYTHON) -m tests.faults $(ARGS)

soak: venv ## random histories with fresh seeds and pairs of faults: make soak ARGS="--minutes 60"
	@$(PYTHON) -m tests.histories.soak $(ARGS)

bench: venv ## measure deploys of 3 and 50 machines, as ratios
	@$(WITH_ENGINE) $(PYTHON) -m bench $(ARGS)

status: ## what serves, what is unfinished, every machine: make status STACK=prod
history: ## the latest deploys of a stack
timeline: ## write the page of a stack's latest deploy, or of another: make timeline ARGS="2-3fa9 --open"
explain: ## why the next `up` of a stack would do what; ARGS=--json for all four
$(LOOKING): venv
	@$(PYTHON) -m bluegreen $@ --stack $(or $(STACK),dev) $(ARGS)

docs: venv ## write the parts of docs/ that are made from the code: the configuration reference, the diagrams
	@$(PYTHON) -m tools.docs $(ARGS)

lock: ## pin the requirements anew from the .in files: make lock ARGS=--upgrade
	@scratch="$$(mktemp -d)" && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON3) -m venv "$$scratch" && "$$scratch/bin/pip" install --quiet $(UV) && PATH="$$scratch/bin:$$PATH" && \
	$(COMPILE) $(ARGS) requirements.in -o requirements.txt && \
	$(COMPILE) $(ARGS) requirements-dev.in -o requirements-dev.txt && \
	$(COMPILE) $(ARGS) examples/rooms/requirements.in -o examples/rooms/requirements.txt

clean: ## remove what was made in the checkout; the engine, kept outside it, stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@$(or $(PYTHON3),false) -c '$(NEW_ENOUGH)' || { echo 'Python 3.11 or newer is needed and was not found; name one: make PYTHON3=/path/to/python3 …' >&2; exit 1; }
	@$(PYTHON3) -m tools.venv

engine: venv ## get the Pulumi engine and print its directory; the other targets do that too
	@$(PYTHON) -m tools.engine
