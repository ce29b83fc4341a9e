# Set-up and the commands that continuous integration runs too.
#
#   make demo    the whole workflow on simulated scans, into results/demo
#   make report  the report of a finished run, report.zip
#   make status [OVERLAY=...]  how far a run is: steps, trainings, time left
#   make demo-released  the demo as the authors' released code
#   make new-method NAME=mine           a method of your own to start from, in own/ (docs/own_method.md)
#   make try OVERLAY=own/mine.yaml      checks it, then takes it to a row of Table 1
#   make test    the test suite; test-fast without the demo
#   make study          the paper's claims on more simulated scans (docs/study.md)
#   make ablation       what each departure is worth, on one fold of the demo (docs/ablation.md)
#   make ablation-study what those that only score again are worth in the study
#   make docs-site      the documentation as a site, into site/
#   make bench          speed, against usual libraries (docs/benchmarks.md)
#   make mutants        whether the tests notice single faults in the library
#   make test-tutorials what the tutorials tell, minutes each
#   make test-pages     each kind of page in a browser (Chromium, npm)
#   make test-fork      the cheap tests in a fork with one more method and data set
#   make test-faults    the demo while its jobs and Snakemake are killed
#   make test-slurm     the SLURM profile on a real SLURM
#   make setup-hdbet    HD-BET for real heads, in an environment of its own
#   make setup-deepbet  the same for deepbet
#   make hashes         after a change of constraints*.txt or pyproject.toml: requirements/*.txt anew
#   make recover        on a cluster, after Snakemake itself was killed (docs/cluster.md)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HDBET := .venv-hdbet
DEEPBET := .venv-deepbet
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo)
DEMO := --configfile config/demo.yaml
DEMO_REPORT := results/demo/report.zip
FRONT := PYTHONPATH=src $(BIN)/python -m uad.report.archive

# What an environment holds but torch, in the versions and with the hashes of requirements/*.txt; pip
# refuses any other file.
HASHED := --quiet --require-hashes --no-deps --requirement requirements

# The pins have wheels for these versions of Python.
FITS = import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else \
  f"Python {v[0]}.{v[1]} will not do: the pinned packages are for 3.11 to 3.13; name another, as in: make setup PYTHON=python3.12")

.PHONY: help demo demo-released status report new-method try setup run-packages setup-hdbet setup-deepbet recover test test-fast test-pages test-tutorials test-fork test-envs \
  test-faults test-hdbet test-deepbet test-slurm mutants \
  lint format dag docs docs-site study ablation ablation-study plan bench bench-paper bench-gpu bench-memory clean hashes

# The list at the top of this file.
help:
	@sed -n 's/^#   //p' Makefile

# Snakemake prints a panel of what runs; all else that it says is in .snakemake/log.
demo: $(VENV)/.run-packages
	@$(BIN)/snakemake --cores all --scheduler greedy --logger rich $(DEMO)
	@# The report only when a result is newer.
	@if [ ! -e $(DEMO_REPORT) ] || [ -n "$$(find results/demo/index.html results/demo/tables results/demo/figures results/demo/qc -newer $(DEMO_REPORT))" ]; \
	then $(BIN)/snakemake $(DEMO) --quiet all --report $(DEMO_REPORT); fi
	@$(FRONT) $(DEMO_REPORT)
	@echo "Start with results/demo/index.html   report: $(DEMO_REPORT)"

# As the released code in all but the split lists, which simulated scans are not in.
demo-released: $(VENV)/.run-packages
	$(BIN)/snakemake --cores all --scheduler greedy --configfile config/released.yaml config/demo.yaml \
	  --config results=results/demo-released "splits={scheme: clean}"

# Of another table: make report OVERLAY=config/cddpm.yaml
report: $(VENV)/.run-packages
	$(BIN)/snakemake $(if $(OVERLAY),--configfile $(OVERLAY)) --report report.zip
	$(FRONT) report.zip

# Of the demo: make status OVERLAY=config/demo.yaml
status: $(VENV)/.run-packages
	@PYTHONPATH=src $(BIN)/python -m uad.plan.status $(OVERLAY)

new-method: $(VENV)/.run-packages
	@PYTHONPATH=src $(BIN)/python -m uad.contract.new $(NAME)

TRY := --configfile config/demo.yaml config/try.yaml
try: setup
	PYTHONPATH=src $(BIN)/python -m uad.contract $(OVERLAY)
	$(BIN)/snakemake --cores all --scheduler greedy table1 $(TRY) $(OVERLAY)

setup: $(VENV)/.run-packages $(VENV)/.test-packages

# Without what only tests need, for the image.
run-packages: $(VENV)/.run-packages

setup-hdbet: $(HDBET)/.packages

setup-deepbet: $(DEEPBET)/.packages

# Jobs of this folder that a killed Snakemake left behind are cancelled; then the folder is unlocked.
# Their names begin with the prefix in slurm/config.yaml.
ORPHANS = squeue --me --noheader --format='%i|%j|%Z' | awk -F'|' '$$2 ~ /^uad_/ && $$3 == ENVIRON["CURDIR"] {print $$1}'
recover: export CURDIR := $(CURDIR)

recover:
	$(ORPHANS) | xargs -r scancel
	while [ -n "$$($(ORPHANS))" ]; do sleep 1; done
	$(BIN)/snakemake --profile slurm --unlock

# Tests that take long, or need what not every machine has, are left out.
CHEAP = "not demo and not browser and not tutorials and not fork and not envs and not faults and not hdbet and not deepbet and not slurm"

test: setup
	$(BIN)/pytest -n 2 -m $(CHEAP)
	$(BIN)/pytest -n 2 --dist loadfile -m demo

test-fast: setup
	$(BIN)/pytest -n 2 -m $(CHEAP)

# Single faults in a copy of the library, each tried with the tests of its file.
mutants: setup
	$(BIN)/python tests/mutants.py

# Environments for --sdm conda, made by pip.
test-envs: setup
	$(BIN)/pytest -m envs

# What the tutorials tell, from nothing to a row of the table.
test-tutorials: setup
	$(BIN)/pytest -m tutorials

# The cheap tests in a copy with one more method and one more data set; as long as test-fast.
test-fork: setup
	$(BIN)/pytest -m fork

# Pages of the demo in Chromium, with axe from npm.
test-pages: setup
	npm ci --silent --prefix tests/axe
	$(BIN)/pytest -m browser

test-hdbet: setup setup-hdbet
	$(BIN)/pytest -m hdbet

test-deepbet: setup setup-deepbet
	$(BIN)/pytest -m deepbet

# The demo in another folder through thirty kills; compared with one that was left alone.
test-faults: setup
	$(BIN)/pytest -m faults

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

# The picture in the README (needs graphviz), and how many jobs the whole paper is.
dag: setup plan
	$(BIN)/snakemake $(DEMO) --forceall --rulegraph -- results/demo/index.html \
	  | sed 's/fontsize=10, penwidth=2/fontsize=13, penwidth=1.5, height=.3, width=.3, margin=".07,.03"/' \
	  | tred | dot -Granksep=.28 -Gnodesep=.1 -Earrowsize=.7 -Tsvg > docs/rulegraph.svg

# The paper's claims judged on 140 simulated subjects, into docs/study.md; hours on two cores.
study: $(VENV)/.run-packages
	$(BIN)/snakemake --cores all --scheduler greedy --configfile config/demo.yaml config/study.yaml
	PYTHONPATH=src $(BIN)/python benchmarks/study.py

# Departures turned one at a time, into docs/ablation.md; hours on two cores. From the finished demo, if
# there is one; a few: make ablation ABLATION="frozen lesions".
ablation: $(VENV)/.run-packages
	PYTHONPATH=src $(BIN)/python benchmarks/ablation.py $(ABLATION)

# Those that only score again, from the finished study, if there is one.
ablation-study: $(VENV)/.run-packages
	PYTHONPATH=src $(BIN)/python benchmarks/ablation.py --study $(ABLATION)

# The table of keys in config/README.md, from the schema.
docs: setup
	PYTHONPATH=src $(BIN)/python -m uad.plan.docs

# Pages of the repository and the library's reference, in an environment of its own.
docs-site: .venv-docs/.packages
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build
	@echo "Start with site/index.html"

# Jobs of the whole paper, planned on empty files, and submissions to SLURM.
plan: setup
	PYTHONPATH=src $(BIN)/python benchmarks/plan.py

# Speed and memory: the tables of docs/benchmarks.md.
bench: setup
	PYTHONPATH=src $(BIN)/python benchmarks/run.py paths plan

bench-paper: setup
	PYTHONPATH=src $(BIN)/python benchmarks/run.py networks limit

bench-gpu: setup
	PYTHONPATH=src $(BIN)/python benchmarks/gpu.py --out results/benchmarks

bench-memory: setup demo
	PYTHONPATH=src $(BIN)/python benchmarks/memory.py

clean:
	rm -rf results/demo .snakemake site

# torch, in the build that is offered for this machine, and the CUDA libraries that this build asks for.
$(VENV)/.run-packages: constraints.txt requirements/run.txt
	@$(PYTHON) -c '$(FITS)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(HASHED)/run.txt
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	@touch $@

$(VENV)/.test-packages: $(VENV)/.run-packages requirements/test.txt
	$(BIN)/pip install $(HASHED)/test.txt
	@touch $@

.venv-docs/.packages: requirements/docs.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install $(HASHED)/docs.txt
	@touch $@

# torchvision has builds for each machine, too.
$(HDBET)/.packages: TORCH := torch torchvision
$(DEEPBET)/.packages: TORCH := torch
$(HDBET)/.packages $(DEEPBET)/.packages: .venv-%/.packages: constraints.txt constraints-%.txt requirements/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install $(HASHED)/$*.txt
	$(@D)/bin/pip install --quiet --constraint constraints.txt --constraint constraints-$*.txt $(TORCH)
	@touch $@

# Hashes of all files of the pinned versions, as the package index tells them.
hashes:
	$(PYTHON) -m venv .venv-hashes
	.venv-hashes/bin/pip install --quiet uv==0.13.9
	$(PYTHON) requirements/hashes.py .venv-hashes/bin/uv
