"""Rule estimate: what the run will cost, before it starts or in its course."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from uad.base import devices, logs, tsv
from uad.base.errors import InputError
from uad.engine import calibration
from uad.models import methods
from uad.plan import estimate


def dry_run(params):
    """What Snakemake would do, with the configuration and the cores of this run."""
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "config.json"
        overlay.write_text(json.dumps(params.overwrite), encoding="utf-8")
        command = [
            params.python, "-m", "snakemake", "--snakefile", params.snakefile, "--dry-run",
            "--nolock", "--cores", str(params.cores), "--configfile", *params.configfiles, overlay,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"the run cannot be planned:\n{done.stderr.strip()}")
    return done.stdout


def seconds_of_import(module):
    """From the start of Python."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.monotonic() - began


with logs.job(snakemake.log[0]) as log:
    params = snakemake.params
    config = params.config
    methods.use(params.outside)
    planned = estimate.jobs(dry_run(params))
    device = devices.choose(config["accelerator"])
    threads = min(params.cores, config["threads"]["train"])
    measured = []

    def cost_of(model):
        print(f"measuring {model} ...", file=sys.stderr, flush=True)
        cost = calibration.measure(
            model, config["methods"], tuple(params.shape), device, threads, config["synthetic"],
            config["seed"],
        )  # fmt: skip
        log.info("%s: %s", model, cost)
        measured.append(model)
        return cost

    work = estimate.Work(
        config["methods"],
        counts=params.counts,
        learned_from=params.learned_from,
        test_datasets=params.test_datasets,
        cost_of=cost_of,
        shipped=tsv.read(params.shipped),
        start=seconds_of_import("uad.base.tsv"),
        start_of_network=seconds_of_import("uad.engine.jobs"),
        voxels=params.shape[0] * params.shape[1] * params.shape[2],
    )
    table = estimate.table(planned, work)
    print("\n".join(estimate.text(table, params.cores, config["local_gpus"])))
    busy = os.getloadavg()[0]
    if measured and busy > 1.5 * params.cores:
        print(f"Other programs kept this machine busy (load {busy:.0f}): it may be faster.")
    log.info("\n%s", table.to_string())
