# One virtual environment, made from the hash-locked requirements; every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
# The same with the extra `bi`, and with the extra `ml`.
WITH_BI := $(VENV)/.installed-bi
WITH_ML := $(VENV)/.installed-ml
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
# The demo's runs live beside its data, not among your own Prefect runs.
export PREFECT_HOME ?= $(CURDIR)/data/prefect
export PREFECT_PROFILE ?= ephemeral

# The tests of a file share what they have started. In the order of tests/conftest.py.
ON_TWO_CORES := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo ui pictures bi ml test slow lint bench clean lock

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(READY): requirements.txt | $(PREFECT_HOME)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -r requirements.txt
	@touch $@

$(WITH_BI): requirements-bi.txt | $(READY)
	$(INSTALL) -r requirements-bi.txt
	@touch $@

$(WITH_ML): requirements-ml.txt | $(READY)
	$(INSTALL) -r requirements-ml.txt
	@touch $@

$(PREFECT_HOME):
	@mkdir -p $@

demo: $(READY) ## play the synthetic shop (three days at first, then one at a time) and run the pipeline on it
	$(BIN)/python -m demo

ui: $(READY) ## open the Prefect UI on the runs made here (stop with Ctrl-C)
	$(BIN)/prefect server start

pictures: $(READY) | data/reports/latest.html ## make docs/images from what the demo shows (needs Chromium)
	$(BIN)/python -m demo.pictures

data/reports/latest.html: | $(READY)
	$(BIN)/python -m demo

bi: $(WITH_BI) ## install the extra for Looker, Tableau and MetricFlow (docs/bi.md)

ml: $(WITH_ML) ## install the extra for scores and forecasts (docs/features.md)

test: $(WITH_BI) $(WITH_ML) ## run the tests, on real services (under 20 minutes)
	$(BIN)/python -m pytest $(ON_TWO_CORES) -m "not slow"

slow: $(WITH_BI) $(WITH_ML) ## run the tests that take minutes each: the law through dbt, kill tests, the how-tos
	$(BIN)/python -m pytest $(ON_TWO_CORES) -m slow

lint: $(READY) ## ruff, mypy, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt --disable-progress-bar

bench: $(READY) ## time the lesson's chain, this pipeline and DuckDB by hand on one data set (SCALE=S|M|L)
	$(BIN)/python -m benchmarks --scale $(or $(SCALE),S)

clean: ## stop the demo's database and delete everything that make made
	-[ ! -x $(BIN)/python ] || $(BIN)/python -m demo remove
	rm -rf $(VENV) data dbt/target dbt/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis

LOCKED := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: ## pin every package with its hashes in requirements*.txt (needs uv)
	$(LOCKED) --group dev --no-strip-extras pyproject.toml -o requirements.txt
	for extra in bi ml; do \
		$(LOCKED) --extra $$extra --constraint requirements.txt pyproject.toml -o requirements-$$extra.txt \
			$$(sed -nE 's/^([a-z0-9._-]+).*==.*/--no-emit-package \1/p' requirements.txt) || exit 1; \
	done
	$(LOCKED) --group datacontract -o tests/support/datacontract-requirements.txt
	$(LOCKED) --group stockpyl -o tests/support/stockpyl-requirements.txt
	$(LOCKED) --group dlt -o benchmarks/dlt_dbt/requirements.txt
