"""Rule measure_quality: numbers and a picture that show how a subject's preprocessing went."""

import json
from pathlib import Path

from uad.base import exclusion, files, logs
from uad.imaging import quality, volumes

with logs.job(snakemake.log[0]) as log:
    inputs, outputs = snakemake.input, snakemake.output
    atlas_brain = volumes.read(inputs.atlas_brain)
    with exclusion.recorded(outputs):
        image = volumes.read(inputs.image)
        brain, lesion = (volumes.read(inputs[k], "uint8") for k in ("brain", "lesion"))
        registration, field = (
            json.loads(Path(inputs[k]).read_text(encoding="utf-8"))
            for k in ("registration", "field")
        )
        for volume in (brain, lesion, atlas_brain):
            volumes.check_same_grid(image, volume)
        propagated = snakemake.params.brain_mask == "atlas"
        numbers = quality.measure(image, brain, atlas_brain, lesion, field, propagated)
        log.info("%s", numbers)
        quality.write_picture(quality.picture(image, brain, atlas_brain, lesion), outputs.picture)
        row = {"subject": snakemake.wildcards.subject, **registration, **numbers}
        files.write_json(row, outputs.numbers)
