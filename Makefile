# What a newcomer needs: `make demo` and `make test`. Needs Python 3.11+, Node 20+, npm and make.

PYTHON ?= python3
RESULTS ?= 10000
BIN := .venv/bin
export PYTHONPATH := src:.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

# Nothing here reaches an account: the variables of one are hidden from every command.
unexport AWS_PROFILE AWS_DEFAULT_PROFILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
unexport AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_ENDPOINT_URL
unexport AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE

.PHONY: help demo test faults fuzz bench cost scale figures up down check scan unit schemas template install sdks lock clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: install  ## watch results of a pretended endpoint travel into the table, and ask for them
	$(BIN)/python -m local demo

test: install  ## check and scan, then every test, those of the deployed system included
	$(MAKE) --jobs 2 --output-sync check scan sdks
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

faults: install .venv-microburst/installed  ## lose nothing while AWS fails and processes are killed: RESULTS=10000
	RESULTS=$(RESULTS) $(BIN)/pytest tests/faults

fuzz: install  ## the searching tests for longer: fuzzing, races, interleavings, large numbers
	EFFORT=long $(BIN)/pytest --numprocesses 2 --dist loadfile \
		tests/fuzz tests/races tests/adapters/test_*_interleaving.py \
		tests/deploy/test_read_units.py tests/deploy/test_submitting.py

bench: install .venv-lambda/installed .venv-sagemaker-v2/installed  ## measure against other ways to do the same: PARTS="readable waiting"
	$(BIN)/python -m benchmarks $(PARTS)

cost: install .venv-microburst/installed  ## count what results use, and what that costs by benchmarks/cost/prices.toml
	$(BIN)/python -m benchmarks.cost

scale: install  ## what 10 to 10,000 results a second take of AWS's limits: docs/scale.md
	$(BIN)/python -m benchmarks.scale

figures: .venv-plots/installed  ## write the tables and plots of docs/performance.md from what was measured last
	.venv-plots/bin/python -m benchmarks.figures

up: install  ## start the local system and leave it running (.local/env, .local/outputs.json)
	$(BIN)/python -m local up

down: install  ## stop what `make up` started
	$(BIN)/python -m local down

check: install  ## formatting, lint, types, layers, generated documents, and every template: checkers, review
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas --check
	$(BIN)/python -m tests.templates

scan: install .venv-checkov/installed  ## hold what checkov and cdk-nag's other packs find against tests/scan/accepted.yaml
	$(BIN)/python -m tests.scan

unit: install  ## the tests that deploy nothing
	$(BIN)/pytest --ignore tests/deploy --numprocesses 2

schemas: install  ## generate openapi.json, the event schema and the table in docs/record.md
	$(BIN)/python -m schemas

template: install  ## write infra/templates anew, after a change of the infrastructure
	$(BIN)/python -m tests.reviewed

install: .venv/installed .venv-ministack/installed node_modules/installed  ## set up what all commands need

.venv/bin/uv:
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt

.venv/installed: requirements.txt | .venv/bin/uv
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	touch $@

# Not part of `install`: only tests need them, and they take 200 and 700 MB.
sdks: .venv-sagemaker-v2/installed .venv-sagemaker-v3/installed  ## set up the SageMaker SDKs

.venv-ministack/installed: local/requirements.txt
.venv-checkov/installed: tests/scan/requirements.txt
.venv-microburst/installed: tests/faults/requirements.txt
# Compiled, as the modules of Lambda's runtimes are.
.venv-lambda/installed: export UV_COMPILE_BYTECODE = 1
.venv-lambda/installed: benchmarks/lambda/requirements.txt benchmarks/lambda/requirements-emulator.txt
.venv-plots/installed: benchmarks/plots/requirements.txt
.venv-sagemaker-v2/installed: tests/sdk/requirements-v2.txt
.venv-sagemaker-v3/installed: tests/sdk/requirements-v3.txt
.venv-%/installed: | .venv/bin/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(@D)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $^
	touch $@

node_modules/installed: package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	touch $@

lock: .venv/bin/uv  ## resolve the requirements anew, after a change of a requirements.in
	for folder in functions . local tests/faults tests/scan benchmarks/lambda benchmarks/plots; do \
		(cd $$folder && $(CURDIR)/$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-header --no-annotate requirements.in -o requirements.txt); done
	for version in v2 v3; do \
		(cd tests/sdk && $(CURDIR)/$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-header --no-annotate \
			requirements-$$version.in -o requirements-$$version.txt); done
	cd benchmarks/lambda && $(CURDIR)/$(BIN)/uv pip compile --quiet --no-deps --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate \
		requirements-emulator.in -o requirements-emulator.txt

clean:  ## stop what runs, and remove everything that was installed or written
	test ! -x $(BIN)/python || $(BIN)/python -m local down
	rm -rf .venv .venv-* node_modules .local cdk.out
