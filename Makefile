# One virtual environment, made from the hash-locked requirements; every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
# What tests need besides: the extras, and the workers of pools of containers.
WITH_EXTRAS := $(addprefix $(VENV)/.installed-,bi ml docker kubernetes)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
# The demo's runs live beside its data, not among your own Prefect runs.
export PREFECT_HOME ?= $(CURDIR)/data/prefect
export PREFECT_PROFILE ?= ephemeral

# The tests of a file share what they have started. In the order of tests/conftest.py.
ON_TWO_CORES := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo ui pictures bi ml image worker sbom test slow nightly containers lint bench audit clean lock

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): requirements.txt | $(PREFECT_HOME)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.installed-%: requirements-%.txt | $(READY)
	$(INSTALL) -r $<
	@touch $@

$(PREFECT_HOME):
	@mkdir -p $@

demo: $(READY) ## play the synthetic shop (three days at first, then one at a time) and run the pipeline on it
	$(BIN)/python -m demo

ui: $(READY) ## open the Prefect UI on the runs made here (stop with Ctrl-C)
	$(BIN)/prefect server start

pictures: $(VENV)/.installed-bi | data/reports/latest.html ## make docs/images from what the demo shows (needs Chromium)
	$(BIN)/python -m demo.pictures

data/reports/latest.html: | $(READY)
	$(BIN)/python -m demo

bi: $(VENV)/.installed-bi ## install the extra for Looker, Tableau and MetricFlow (docs/bi.md)

ml: $(VENV)/.installed-ml ## install the extra for scores and forecasts (docs/features.md)

IMAGE ?= ecommerce-pipeline:latest
image: ## build the image that servers, workers and runs in containers use, as IMAGE
	docker build -f deployments/docker/Dockerfile --target worker --tag $(IMAGE) \
		--build-arg REVISION=$$(git rev-parse HEAD) .

worker: $(READY) ## install what a worker of a pool of containers needs (KIND=docker|kubernetes)
	$(MAKE) $(VENV)/.installed-$(or $(KIND),docker)

sbom: | $(PREFECT_HOME) ## list what the image holds, as CycloneDX in data/sbom.json (needs uv)
	uvx --from cyclonedx-bom@7.5.0 cyclonedx-py requirements requirements-image.txt --pyproject pyproject.toml -o data/sbom.json

test: $(WITH_EXTRAS) ## run the tests, on real services (under 20 minutes)
	$(BIN)/python -m pytest $(ON_TWO_CORES) -m "not slow and not nightly and not containers"

slow: $(WITH_EXTRAS) ## run the tests that take minutes each: the laws, kill tests, clouds, a cluster
	$(BIN)/python -m pytest $(ON_TWO_CORES) -m slow

nightly: $(WITH_EXTRAS) ## run those for which CI has no time: the how-tos, the drill, a month on call, more of the laws
	$(BIN)/python -m pytest $(ON_TWO_CORES) -m nightly
	$(BIN)/python -m pytest $(ON_TWO_CORES) -m slow --hypothesis-profile nightly tests/properties/test_*_law.py

containers: $(WITH_EXTRAS) ## run the image, the docker pool and the compose kit for real (needs root, Docker Engine)
	CI=true $(BIN)/python -m pytest -m containers # with CI set, what cannot run is no skip but an error
	.ci/containers --passed

lint: $(READY) ## ruff, mypy, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt --disable-progress-bar

bench: $(READY) ## time this pipeline, the lesson's chain, dlt with dbt, and DuckDB by hand on one data set (SCALE=S|M|L)
	$(BIN)/python -m benchmarks --scale $(or $(SCALE),S)

audit: $(READY) ## list the licences of all dependencies, and the known vulnerabilities of the locked versions
	$(PYTHON) -m venv data/audit
	data/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 pip-licenses==5.5.5
	data/audit/bin/pip-licenses --python $(BIN)/python --from=mixed --order=license
	data/audit/bin/pip-audit --requirement requirements.txt --require-hashes --disable-pip

clean: ## stop the demo's database and delete everything that make made
	-[ ! -x $(BIN)/python ] || $(BIN)/python -m demo remove
	rm -rf $(VENV) data dbt/target dbt/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis

LOCKED := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: ## pin every package with its hashes in requirements*.txt (needs uv)
	$(LOCKED) --group dev --no-strip-extras pyproject.toml -o requirements.txt
	$(LOCKED) --extra kubernetes --constraint requirements.txt --no-strip-extras pyproject.toml -o requirements-image.txt
	for extra in bi ml docker kubernetes; do \
		$(LOCKED) --extra $$extra --constraint requirements.txt pyproject.toml -o requirements-$$extra.txt \
			$$(sed -nE 's/^([a-z0-9._-]+).*==.*/--no-emit-package \1/p' requirements.txt) || exit 1; \
	done
	$(LOCKED) --group datacontract -o tests/support/datacontract-requirements.txt
	$(LOCKED) --group stockpyl -o tests/support/stockpyl-requirements.txt
	$(LOCKED) --group dlt -o benchmarks/dlt_dbt/requirements.txt
