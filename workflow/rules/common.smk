"""What all rules use: the checked configuration, its plan, and what jobs ask for."""

import os
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

# The library is used where it lies.
HOME = Path(str(workflow.current_basedir)).parents[1]
if not (HOME / "src/uad").is_dir():
    raise WorkflowError(
        f"{HOME}/src/uad: no such folder; please take the Snakefile of a clone or of an installed "
        "package (docs/elsewhere.md), not of an address"
    )
sys.path.insert(0, str(HOME / "src"))

from uad.base import digests
from uad.data import downloads
from uad.plan import config as settings, host, needs
from uad.plan.figures import Figures, costs
from uad.plan.overlays import with_defaults
from uad.plan.plan import Plan
from uad.plan.planted import Planted
from uad.plan.requests import Raising, Requests, raising
from uad.report import earlier_page


def planned(found):
    """A function, or an object's methods, whose mistakes of the user end planning in a sentence."""
    wrap = raising if callable(found) else Raising
    return wrap(found, WorkflowError)


planned(host.check)(sys.platform, sys.executable, HOME)
host.offer_library(HOME / "src")
with_defaults(config, HOME / "config/config.yaml")
planned(settings.check)(config, [Path(path).parent for path in workflow.overwrite_configfiles])

PLAN = planned(Plan)(config, HOME)
plan, cohort, figures = map(planned, (PLAN, PLAN.cohort, Figures(PLAN)))
external, planted = map(planned, (PLAN.external, Planted(PLAN)))
asked = Requests(config)
growing, gpus, local_gpus = asked.growing, asked.gpus, asked.local_gpus
paths = PLAN.paths
BEGAN = time.time()
simulated = bool(config["simulation"])
# What ends a run after its last job is part of this Snakefile, not of one that has it as a module.
HOOKS = Path(workflow.main_snakefile).resolve() == HOME.resolve() / "Snakefile"
IN_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
ATLAS_GRID = config["atlas"]["shape"], config["atlas"]["spacing_mm"]

# What is missing stops the run at once, but not the targets that are there to say so and to fetch it,
# not `predict`, which needs no data set, not `--unlock`, and not the jobs of a cluster, of which each
# needs only some of the data.
# Targets are not known to the workflow yet, hence the command line.
STRICT = workflow.is_main_process and not any(
    word in ("check", "download", "predict", "--unlock") or word.startswith("data/downloads/")
    for word in sys.argv
)
if STRICT:
    planned(host.check_results)(paths.root)
    cohort.check()
    planned(host.check_dates)(PLAN.given_files())
if workflow.is_main_process:
    for sentence in cohort.left_out():
        logger.warning(sentence)

if not workflow.non_local_exec and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = config["local_gpus"]


wildcard_constraints:
    dataset="|".join([*PLAN.datasets, *needs.MADE]),
    subject="[A-Za-z0-9]+",
    model="|".join(PLAN.models) or "none",
    method="|".join(PLAN.trained) or "none",
    row="|".join(config["rows"]),
    fold=r"\d+",
    number=r"\d{3}",  # of a data set of nnU-Net
    external="|".join(config["external"]) or "none",
    test_set="|".join(PLAN.test_sets),
    scan="[A-Za-z0-9_/-]+",  # of simulated files; no dot, so that none leads out of its folder
    site=r"R\d+",


def shown(script, *templates):
    """Parameters of a page or figure: whether to say that data are simulated, code, templates."""
    return {"simulated": simulated, "code": plan.page_code(script, *templates)}


def of_training(amount, at_once):
    """What a training asks for; `at_once` if nothing is learned by gradient."""
    return lambda wildcards: amount if plan.epochs[wildcards.model] else at_once


def run_facts(wildcards=None):
    """What the front page says of the run that is not in its results."""
    overlays = [Path(os.path.relpath(path)).as_posix() for path in workflow.overwrite_configfiles]
    return figures.facts(list(dict.fromkeys(["config/config.yaml", *overlays])))


def end_check():
    """Exit with status 1 if rule `check`, as part of this run, found that something is missing."""
    checked = any(job.rule.name == "check" for job in workflow.dag.jobs)
    if checked and (verdict := host.verdict(paths.log("check"))):
        logger.error(verdict)
        sys.exit(1)


def write_failed_page():
    """A front page of what there is when the run stops with an error; never an error itself."""
    if not STRICT or not Path(paths.root).is_dir():
        return
    try:
        earlier_page.put_aside(PLAN.paths)
        from uad.report import front_page

        facts = run_facts() | {"revision": digests.revision()}
        front_page.write_failed(paths.failed_page, paths.root, facts, costs(PLAN))
        logger.info(f"Partial results and errors: {paths.failed_page}")
    except Exception as error:  # also where this environment lacks pandas or matplotlib
        logger.info(f"No page about this failure: {error}")


def say_answer():
    """What came out, at the end of a run that wrote the front page."""
    written = Path(paths.answer)
    if written.exists() and written.stat().st_mtime > BEGAN:
        logger.info(f"{written.read_text(encoding='utf-8')}{paths.front_page}")
