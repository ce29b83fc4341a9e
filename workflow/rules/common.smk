"""What all rules use: the checked configuration, its plan, and what jobs ask for."""

import os
import shlex
import sys
from functools import wraps
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
from uad.base.errors import InputError
from uad.data import downloads
from uad.plan import config as settings, host
from uad.plan.figures import Figures, costs
from uad.plan.overlays import with_defaults
from uad.plan.plan import HEALTHY, Plan


def planned(function):
    """A library function whose mistakes of the user end planning with one sentence."""

    @wraps(function)
    def call(*arguments, **named):
        try:
            found = function(*arguments, **named)
        except InputError as error:
            raise WorkflowError(str(error))
        return planned(found) if callable(found) else found

    return call


class Planned:
    """An object whose methods are `planned`, for rules."""

    def __init__(self, of):
        self._of = of

    def __getattr__(self, name):
        found = getattr(self._of, name)
        return planned(found) if callable(found) else found


planned(host.check)(sys.platform, sys.executable, HOME)
host.offer_library(HOME / "src")
with_defaults(config, HOME / "config/config.yaml")
planned(settings.check)(config)

PLAN = planned(Plan)(config, HOME)
plan, cohort, figures = Planned(PLAN), Planned(PLAN.cohort), Planned(planned(Figures)(PLAN))
paths = PLAN.paths
simulated = bool(config["simulation"])
ATLAS_GRID = config["atlas"]["shape"], config["atlas"]["spacing_mm"]

# What is missing stops the run at once, but not the two targets that are there to say so and to
# fetch it, not `--unlock`, and not the jobs of a cluster, of which each needs only some of the data.
# Targets are not known to the workflow yet, hence the command line.
STRICT = workflow.is_main_process and not any(
    word in ("check", "download", "--unlock") or word.startswith("data/downloads/")
    for word in sys.argv
)
if STRICT:
    planned(host.check_results)(paths.root)
    cohort.check()
if workflow.is_main_process:
    for sentence in cohort.left_out():
        logger.warning(sentence)

if not workflow.non_local_exec and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = config["local_gpus"]


wildcard_constraints:
    dataset="|".join([*PLAN.datasets, "draem"]),
    subject="[A-Za-z0-9]+",
    model="|".join(PLAN.models) or "none",
    method="|".join(PLAN.trained) or "none",
    row="|".join(config["rows"]),
    fold=r"\d+",
    test_set="|".join(PLAN.test_sets),
    scan="[A-Za-z0-9_/-]+",  # of simulated files; no dot, so that none leads out of its folder
    site=r"R\d+",


def growing(**amounts):
    """Resources that grow with each attempt, if a cluster is told to retry.

    A pair holds the amount, and the one where the configuration keeps to the CPU.
    """

    def of(amount):
        if isinstance(amount, tuple):
            amount = amount[config["accelerator"] == "cpu"]
        return lambda wildcards, attempt: amount * attempt

    return {name: of(amount) for name, amount in amounts.items()}


def gpus(wildcards):
    """GPUs that a job asks for: none where the configuration keeps to the CPU."""
    return 0 if config["accelerator"] == "cpu" else 1


def local_gpus(wildcards, threads):
    """Jobs that may compute on this machine's GPUs at once.

    It decides no result: Snakemake leaves out parameters that ask for `threads` when it looks for
    changes.
    """
    return config["local_gpus"]


def save_minutes(wildcards, threads):
    """How often the state of a training is saved; it decides no result, as with `local_gpus`."""
    return PLAN.block(wildcards.model)["training"]["save_minutes"]


def shown(script, *templates):
    """Parameters of a page or figure: whether to say that data are simulated, code, templates."""
    return {"simulated": simulated, "code": plan.page_code(script, *templates)}


def hd_bet_program(wildcards, threads):
    """Command of `strip_skull_hd_bet`, without its arguments.

    The interpreter is that of the rule's conda environment or of `make setup-hdbet`; any other says
    what is missing. Where it is decides no result, as with `local_gpus`.
    """
    python = HOME / ".venv-hdbet/bin/python"
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        python = "python"
    elif not python.exists():
        python = sys.executable
    return shlex.join([str(python), str(HOME / "workflow/scripts/strip_skull_hd_bet.py")])


def run_facts(wildcards=None):
    """What the front page says of the run that is not in its results."""
    overlays = [Path(os.path.relpath(path)).as_posix() for path in workflow.overwrite_configfiles]
    return figures.facts(list(dict.fromkeys(["config/config.yaml", *overlays])))


def write_failed_page():
    """A front page of what there is when the run stops with an error; never an error itself."""
    if not STRICT or not Path(paths.root).is_dir():
        return
    try:
        from uad.report import front_page

        facts = run_facts() | {"revision": digests.revision()}
        measured = front_page.measure(paths.root, costs(PLAN), facts)
        front_page.write(paths.failed_page, paths.root, facts, measured, finished=False)
        logger.info(f"Partial results and errors: {paths.failed_page}")
    except Exception as error:  # also where this environment lacks pandas or matplotlib
        logger.info(f"No page about this failure: {error}")
