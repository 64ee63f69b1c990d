# Each target works from a bare checkout: Python 3.11 or newer is all that it asks for.
BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --group build --extra embedded pyproject.toml

.PHONY: run demo test check generate bench lock install install-dev install-bench

run: install ## Start the whole platform.
	@$(BIN)/portico run

demo: install-dev ## Play the tour against the running platform.
	@$(BIN)/portico demo

test: install-dev ## Run every test.
	@.ci/test

check: install-dev ## Check style, types, imports and the contract.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint generated/descriptor.binpb --path portico
	.ci/breaking
	$(BIN)/portico generate --check

generate: install-dev ## Write everything that is made from proto/.
	$(BIN)/portico generate

bench: install-bench ## Measure, and write bench/results.md and bench/results.svg.
	$(BIN)/python -m bench

lock: install-dev ## Choose the newest versions that pyproject.toml allows.
	$(LOCK) --upgrade --output-file requirements.lock
	$(LOCK) --upgrade --extra dev --constraints requirements.lock --output-file requirements-dev.lock
	$(LOCK) --upgrade --extra dev --extra bench --constraints requirements-dev.lock \
		--output-file requirements-bench.lock

install:
	@.ci/install requirements.lock

install-dev:
	@.ci/install requirements.lock requirements-dev.lock

install-bench:
	@.ci/install requirements.lock requirements-dev.lock requirements-bench.lock
