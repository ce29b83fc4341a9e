"""Rule write_prediction: a scan's maps on its own voxels, its page, and what is known of it."""

import json
from pathlib import Path

import numpy as np

from uad.base import exclusion, files, logs
from uad.imaging import registration, volumes
from uad.predict import bundle, checks, prepare, result, scan_page

with logs.job(snakemake.log[0]) as log:
    inputs, outputs = snakemake.input, snakemake.output
    manifest = bundle.read(inputs.bundle)
    stem = outputs.record.removesuffix("_prediction.json")
    name = Path(stem).name
    record = {"scan": name, "file": inputs.scan, "bundle": manifest["row"]}
    result.remove(stem)
    refused = exclusion.reason(inputs.scored)
    if refused:
        record["refused"] = refused
        scan_page.write_refused(outputs.page, record, manifest)
    else:
        scan = volumes.read(inputs.scan)
        prepared = prepare.load(inputs.prepared)
        with np.load(inputs.scored) as stored:
            maps, made = stored["maps"], stored.get("reconstruction")
        affine = registration.read_transform(inputs.transform)
        found = result.to_native(scan, affine, prepared, maps, made)
        numbers = {
            key: value
            for path in (inputs.registration, inputs.quality)
            for key, value in json.loads(Path(path).read_text(encoding="utf-8")).items()
            if key != "status"
        }
        listed, n = result.find_regions(found, affine, manifest)
        record |= {
            "warnings": checks.warnings(scan, numbers, manifest["limits"]),
            "above_ml": result.volumes_ml(found, manifest),
            "thresholds": result.thresholds(manifest),
            "compared": result.compare(maps, prepared, manifest),
            "spread": float(np.mean(found.spread[found.seen])) if found.seen.any() else None,
            "seen_percent": 100 * float(found.seen.sum() / max(found.brain.sum(), 1)),
            "n_regions": n,
            "regions": listed,
            "quality": numbers,
            "files": result.write(found, manifest, inputs.transform, stem),
        }
        scan_page.write(outputs.page, record, found, manifest)
    log.info("%s", record.get("refused") or record["above_ml"])
    files.write_json(record, outputs.record)
