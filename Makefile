# Set-up and the commands that continuous integration runs too.
#
#   make demo    the whole workflow on simulated scans, into results/demo
#   make test    the test suite
#   make test-slurm     the SLURM profile on a real SLURM
#   make setup-hdbet    HD-BET for real heads, in an environment of its own
#   make recover        on a cluster, after Snakemake itself was killed (docs/cluster.md)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HDBET := .venv-hdbet
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo)
DEMO := --configfile config/demo.yaml
DEMO_REPORT := results/demo/report.zip

RUN_PACKAGES := "snakemake[reports]" snakemake-executor-plugin-slurm antspyx SimpleITK "torchio<2" \
  nilearn nibabel lightning-fabric numpy scipy pandas matplotlib pillow xlrd xlwt tqdm \
  pooch requests
TEST_PACKAGES := pytest pytest-xdist torchmetrics opensimplex scikit-learn ruff snakefmt codespell

# Keep freed memory for the next allocation instead of returning it to the system each time: the
# same results, and about a seventh less time for training on the CPU.
export MALLOC_MMAP_THRESHOLD_ := 1000000000
export MALLOC_TRIM_THRESHOLD_ := 4000000000

.PHONY: demo setup setup-hdbet recover test test-fast test-envs test-hdbet test-slurm lint format dag docs plan bench \
  bench-paper clean

demo: $(VENV)/.run-packages
	$(BIN)/snakemake --cores all --scheduler greedy $(DEMO)
	@# The report only when a result is newer.
	@if [ ! -e $(DEMO_REPORT) ] || [ -n "$$(find results/demo/index.html results/demo/tables results/demo/figures results/demo/qc -newer $(DEMO_REPORT))" ]; \
	then $(BIN)/snakemake $(DEMO) --report $(DEMO_REPORT); fi
	@echo "Start with results/demo/index.html   report: $(DEMO_REPORT)"

setup: $(VENV)/.run-packages $(VENV)/.test-packages

setup-hdbet: $(HDBET)/.packages

# Jobs of this folder that a killed Snakemake left behind are cancelled; then the folder is unlocked.
# Their names begin with the prefix in slurm/config.yaml.
ORPHANS = squeue --me --noheader --format='%i|%j|%Z' | awk -F'|' '$$2 ~ /^uad_/ && $$3 == ENVIRON["CURDIR"] {print $$1}'
recover: export CURDIR := $(CURDIR)

recover:
	$(ORPHANS) | xargs -r scancel
	while [ -n "$$($(ORPHANS))" ]; do sleep 1; done
	$(BIN)/snakemake --profile slurm --unlock

test: setup
	$(BIN)/pytest -n 2 -m "not demo and not envs and not hdbet and not slurm"
	$(BIN)/pytest -m demo

test-fast: setup
	$(BIN)/pytest -n 2 -m "not demo and not envs and not hdbet and not slurm"

# Environments for --sdm conda, made by pip.
test-envs: setup
	$(BIN)/pytest -m envs

test-hdbet: setup setup-hdbet
	$(BIN)/pytest -m hdbet

# A real SLURM on this machine, installed (Debian, Ubuntu) if it is missing; needs root.
test-slurm: setup
	$(AS_ROOT) tests/slurm/cluster.sh install
	$(AS_ROOT) $(BIN)/pytest -p no:cacheprovider -m slurm

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/codespell
	$(BIN)/snakemake --lint $(DEMO)

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# The picture in the README (needs graphviz).
dag: setup
	$(BIN)/snakemake $(DEMO) --forceall --rulegraph | tred | dot -Granksep=.25 -Gnodesep=.15 -Tsvg > docs/rulegraph.svg

# The table of keys in config/README.md, from the schema.
docs: setup
	PYTHONPATH=workflow/scripts $(BIN)/python -m uad.config

# Jobs of the whole paper, planned on empty files.
plan: setup
	PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/plan.py

# Speed: the tables of docs/benchmarks.md (minutes; bench-paper about half an hour on two free cores).
bench: setup
	PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/run.py paths plan

bench-paper: setup
	PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/run.py networks

clean:
	rm -rf results/demo .snakemake

$(VENV)/.run-packages: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt $(RUN_PACKAGES)
	@touch $@

$(VENV)/.test-packages: $(VENV)/.run-packages
	$(BIN)/pip install --quiet --constraint constraints.txt $(TEST_PACKAGES)
	@touch $@

# torch first, in the build that is offered for this machine; the rest may not replace it.
$(HDBET)/.packages: constraints.txt constraints-hdbet.txt
	$(PYTHON) -m venv $(HDBET)
	$(HDBET)/bin/pip install --quiet --constraint constraints.txt torch
	$(HDBET)/bin/pip install --quiet --constraint constraints.txt --constraint constraints-hdbet.txt HD-BET
	@touch $@
