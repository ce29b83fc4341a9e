"""Rule check: can this configuration be run here?"""

import json
from pathlib import Path

from uad import devices, hd_bet_weights, inventory, logs, volumes
from uad.errors import InputError

with logs.job(snakemake.log[0]):
    params = snakemake.params
    lines = [json.loads(Path(path).read_text()) for path in snakemake.input]
    good = all(inventory.state(line) == "ok" for line in lines)
    found = inventory.text(lines)

    checks = [("device", devices.choose, (params.accelerator,))]
    if not params.simulated:
        atlas = (params.atlas["head"], params.atlas["brain"], *params.grid)
        checks.insert(0, ("atlas", volumes.read_atlas, atlas))
    if params.weights:
        checks.append(("HD-BET", hd_bet_weights.check, (params.weights,)))
    for name, function, arguments in checks:
        fine, what = inventory.outcome(function, *arguments)
        good = good and fine
        shown = what if name == "device" or not fine else "ok"
        found.append(f"{name}: {shown}")

    reconstructing = [
        m for m in params.models if params.methods[m.partition("-")[0]]["reconstructs"]
    ]
    levels = max(
        [len(params.methods[m].get("test_levels", [1])) for m in reconstructing], default=0
    )
    megabytes = inventory.disk_mb(
        n_subjects=sum(line["found"] for line in lines),
        n_evaluated=sum(line["found"] for line in lines),
        n_levels=levels,
        n_reconstructing=len(reconstructing),
        n_folds=len(params.folds),
    )
    sentence, enough = inventory.disk(params.results, megabytes)
    found.append(f"disk: {sentence}")
    print("\n".join(found), flush=True)
    if not (good and enough):
        raise InputError("this configuration cannot be run here; see the table above")
    print("Everything is there.", flush=True)
