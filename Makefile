# Two commands a newcomer needs: `make demo` and `make test`. `make help` lists the rest.
VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?= python3
LIVE := $(VENV)/.live
ALL := $(VENV)/.all
BESIDE := -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help demo test cover fuzz lint web zoo bench docs clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(LIVE)  ## install what the live path needs (no torch) and run it on the bundled clip
	@$(PY) -m mer_live.realtime.cli --demo

web: $(LIVE)  ## serve the page on http://localhost:8080 (WEB_ARGS=... for options)
	@$(PY) -m mer_live.realtime.web $(WEB_ARGS)

test: $(ALL) .typing/mer_live  ## install everything, then lint, type-check and run all tests
	@sh .ci/browser
	@$(MAKE) --no-print-directory lint
	@PYTHONDONTWRITEBYTECODE= $(PY) -m pytest $(BESIDE)  # some 300 processes start: byte code is kept

cover: $(ALL)  ## all tests, and the lines that none of them reaches: a quarter slower
	@$(PY) -m pytest $(BESIDE) --cov --cov-report=term:skip-covered

fuzz: $(ALL)  ## 5,000 mutilated files, stamps, picture trees, lists, sheets, offers and messages (`make test` draws 200)
	@MER_FUZZ=5000 $(PY) -m pytest -q -n auto tests/fuzz --timeout 0

lint: $(ALL) .typing/mer_live  ## ruff, mypy --strict, import-linter
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy .typing/mer_live examples
	@cd .typing && PYTHONPATH=. ../$(VENV)/bin/lint-imports --config ../pyproject.toml

zoo: $(ALL)  ## retrain the shipped bundles: make zoo FACES=DIR (an hour on 2 cores)
	@MER_FACES="$${MER_FACES:-$(FACES)}" $(PY) -m mer_live.training.cli zoo

bench: $(LIVE)  ## quick benchmark run into out/bench
	@$(PY) -m mer_live.benchmarks all --quick --out out/bench

docs: $(ALL)  ## build the site into out/site
	@$(PY) docs/scripts/build.py out/docs
	@$(PY) -m zensical build

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) .typing build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*

# The stamps depend on pyproject.toml alone, so a second run installs nothing.
$(PY):
	@sh .ci/system-libs
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -qq --upgrade pip "setuptools>=77"

$(LIVE): pyproject.toml | $(PY)
	@echo "Installing the live path into $(VENV) (once; a minute or two) ..."
	@$(PY) -m pip install -qq -e .
	@touch $(LIVE)

$(ALL): pyproject.toml | $(PY)
	@echo "Installing everything, torch included, into $(VENV) (once; several minutes) ..."
	@$(PY) -m pip install -qq -e ".[all]"
	@touch $(ALL) $(LIVE)

# mypy and import-linter need the installed names; these links give them without an install.
.typing/mer_live:
	@mkdir -p $@
	@for p in realtime engines training benchmarks; do ln -sfn ../../$$p $@/$$p; done
