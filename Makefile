# Requires Python 3.11+, Node.js 20+, npm and make. Start with `make demo` and `make test`.

PYTHON ?= python3
RESULTS ?= 10000
BIN := .venv/bin
export PYTHONPATH := src:.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

# No command reaches a real AWS account: the variables that configure one are not passed on.
unexport AWS_PROFILE AWS_DEFAULT_PROFILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
unexport AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_ENDPOINT_URL
unexport AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE

.PHONY: help demo test faults fuzz bench cost scale figures up down check scan unit schemas template install sdks lock clean

help:  ## show this help
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: install  ## run a demo: inferences of a simulated endpoint, and queries for their results
	$(BIN)/python -m local demo

test: install  ## run `check`, `scan`, and all tests, including those on the deployed local system
	$(MAKE) --jobs 2 --output-sync check scan sdks
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

faults: install .venv-microburst/installed  ## test that nothing is lost when AWS fails and processes die (RESULTS=10000)
	RESULTS=$(RESULTS) $(BIN)/pytest tests/faults

fuzz: install  ## run fuzzing, race and interleaving tests with more examples
	EFFORT=long $(BIN)/pytest --numprocesses 2 --dist loadfile \
		tests/fuzz tests/races tests/adapters/table/test_*_interleaving.py \
		tests/deploy/test_read_units.py tests/deploy/test_submitting.py

bench: install .venv-lambda/installed .venv-sagemaker-v2/installed  ## measure speed against baselines (PARTS="waiting lists")
	$(BIN)/python -m benchmarks $(PARTS)

cost: install .venv-microburst/installed  ## count the AWS usage of results and price it with benchmarks/cost/prices.toml
	$(BIN)/python -m benchmarks.cost

scale: .venv/installed  ## calculate how 10 to 10,000 results per second use AWS's limits (docs/scale.md)
	$(BIN)/python -m benchmarks.scale

figures: .venv/installed  ## update the tables of docs/performance.md from the last results
	$(BIN)/python -m benchmarks.figures

up: install  ## start the local system (run `. .local/env` to use it from a shell)
	$(BIN)/python -m local up

down: install  ## stop the local system
	$(BIN)/python -m local down

check: install  ## check format, lint, types, imports, generated documents and templates
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas --check
	$(BIN)/python -m tests.support.templates

scan: install .venv-checkov/installed  ## scan templates with checkov and cdk-nag (exceptions: tests/scan/accepted.yaml)
	$(BIN)/python -m tests.scan

unit: install  ## run the tests that need no local system
	EFFORT=quick $(BIN)/pytest --ignore tests/deploy --ignore tests/sdk --numprocesses 2 --dist loadscope \
		--durations=25 -p no:schemathesis

schemas: install  ## generate openapi.json, the event schema and the table in docs/record.md
	$(BIN)/python -m schemas

template: install  ## update infra/templates after a change to the infrastructure
	$(BIN)/python -m tests.support.reviewed

install: .venv/installed .venv-ministack/installed node_modules/installed  ## install the dependencies of all commands

.venv/bin/uv:
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt

.venv/installed: requirements.txt | .venv/bin/uv
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	touch $@

# Not part of `install`: only tests need the SDKs, which take 200 and 700 MB.
sdks: .venv-sagemaker-v2/installed .venv-sagemaker-v3/installed  ## install the SageMaker SDKs (900 MB)

.venv-ministack/installed: local/requirements.txt
.venv-checkov/installed: tests/scan/requirements.txt
.venv-microburst/installed: tests/faults/requirements.txt
# Precompiled, like the modules of Lambda's runtimes.
.venv-lambda/installed: export UV_COMPILE_BYTECODE = 1
.venv-lambda/installed: benchmarks/lambda/requirements.txt benchmarks/lambda/requirements-emulator.txt
.venv-sagemaker-v2/installed: tests/sdk/requirements-v2.txt
.venv-sagemaker-v3/installed: tests/sdk/requirements-v3.txt
.venv-%/installed: | .venv/bin/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(@D)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $^
	touch $@

node_modules/installed: package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	touch $@

lock: .venv/bin/uv  ## update the lock files after a change to a requirements.in
	for folder in functions . local tests/faults tests/scan benchmarks/lambda; do \
		(cd $$folder && $(CURDIR)/$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-header --no-annotate requirements.in -o requirements.txt); done
	for version in v2 v3; do \
		(cd tests/sdk && $(CURDIR)/$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-header --no-annotate \
			requirements-$$version.in -o requirements-$$version.txt); done
	cd benchmarks/lambda && $(CURDIR)/$(BIN)/uv pip compile --quiet --no-deps --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate \
		requirements-emulator.in -o requirements-emulator.txt

clean:  ## stop the local system and remove all installed and generated files
	test ! -x $(BIN)/python || $(BIN)/python -m local down
	rm -rf .venv .venv-* node_modules .local cdk.out
