# Two commands on a fresh machine: `make run` does the main job in the sandbox, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONUTF8 := 1
unexport PYTHONDONTWRITEBYTECODE  # without its caches pytest reads every test anew in each worker
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

.PHONY: run test lint types bench bench-against sim sim-mutants kit-mutants sweep ids ui lock clean help

help:
	@echo "make run    import the shipped catalogue, sync it to the sandbox marketplaces"
	@echo "make ui     start the Prefect server, worker and deployments (Ctrl-C stops)"
	@echo "make test   lint, types, tests"
	@echo "make bench  speed and memory as ratios"
	@echo "make sim    whole runs under every fault there is, by seed (SEEDS=15000); sim-mutants: is it strict enough"
	@echo "make kit-mutants  connectors broken on purpose, and the scenario that catches each"
	@echo "make sweep  a real process ended, and the disk failed, at every fault point"
	@echo "make ids    what can go wrong, and the tests that show what happens then"
	@echo "make lock   renew the lock files"
	@echo "make clean  remove the environment, caches and the local home (.caybeo)"

$(VENV)/.run: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.lock
	$(BIN)/python -c "import pathlib,sysconfig; pathlib.Path(sysconfig.get_path('purelib'),'caybeo.pth').write_text(str(pathlib.Path.cwd()))"
	printf '#!/bin/sh\nexec "$(CURDIR)/$(BIN)/python" -m flows.cli "$$@"\n' > $(BIN)/caybeo
	chmod +x $(BIN)/caybeo
	$(BIN)/python -m compileall -q flows connectors models
	touch $@

$(VENV)/.test: requirements-dev.lock $(VENV)/.run
	$(PIP) -r requirements-dev.lock
	touch $@

run: $(VENV)/.run
	@$(BIN)/caybeo sources add data/catalogue/ca_mau_communes_2025.csv data/catalogue/ocop_ca_mau.csv data/sandbox/offers.csv data/sandbox/english.csv
	@$(BIN)/caybeo nightly
	@echo
	@echo "Xem hàng trên sàn mô phỏng:  $(BIN)/caybeo sandbox serve   rồi mở http://127.0.0.1:8800/"
	@echo "Giao diện và lịch chạy đêm:  make ui                      rồi mở http://127.0.0.1:4200/"

ui: $(VENV)/.run
	$(BIN)/caybeo up

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.test
	$(BIN)/mypy

test: lint types
	$(BIN)/pytest -q -n 3 --no-loadscope-reorder  # in the order of tests/scheduling.py

SEEDS ?= 15000

sim: $(VENV)/.test
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

kit-mutants: $(VENV)/.test
	$(BIN)/python -m tests.connectors.conformance.mutants

sim-mutants: $(VENV)/.test
	$(BIN)/python -m tests.simulation.mutate

sweep: $(VENV)/.test
	$(BIN)/python -m tests.sweep

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks.bench

ids: $(VENV)/.test
	@$(BIN)/python -m tests.failure_ids

bench-against: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks.against $(REF)

lock:
	$(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install --quiet uv
	.lock-venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --extra postgres pyproject.toml -o requirements.lock
	.lock-venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --extra postgres pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	rm -rf .lock-venv

clean:
	rm -rf $(VENV) .lock-venv .caybeo .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
