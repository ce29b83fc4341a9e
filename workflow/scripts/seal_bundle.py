"""Rule seal_bundle: a row's models in one file, with what prediction needs beside them."""

from uad.base import digests, logs
from uad.predict import bundle, card, making

with logs.job(snakemake.log[0]) as log:
    inputs, params = snakemake.input, snakemake.params
    manifest = dict(params.manifest)
    folds, test_set = manifest["folds"], manifest["tuned_on"]
    manifest["atlas"] = {
        **manifest["atlas"],
        "sha256": {part: digests.sha256(inputs[part]) for part in bundle.ATLAS_PARTS},
    }
    manifest["thresholds"] = making.thresholds(inputs.pooled, folds, test_set)
    manifest["healthy"] = making.healthy(inputs.validation, test_set)
    known = inputs.get("quality")
    manifest["limits"] = making.limits(known, inputs.split, folds) if known else {}
    manifest |= {
        "code": params.scoring_code,
        "versions": digests.versions(),
        "revision": digests.revision(),
    }
    metrics = making.interval(inputs.subjects, params.test_sets, manifest["seed"])
    bundle.write(
        snakemake.output[0],
        manifest,
        card.write(manifest, params.data, metrics),
        dict(zip(bundle.model_files(manifest), inputs.models)),
    )
    log.info("%d models of %d folds", len(inputs.models), len(folds))
