"""Rule measure_quality: numbers and a picture that show how a subject's preprocessing went."""

import json
from pathlib import Path

from uad.base import files, logs
from uad.imaging import quality, volumes

with logs.job(snakemake.log[0]) as log:
    image = volumes.read(snakemake.input.image)
    brain, lesion = (volumes.read(snakemake.input[k], "uint8") for k in ("brain", "lesion"))
    atlas_brain = volumes.read(snakemake.input.atlas_brain)
    registration, field = (
        json.loads(Path(snakemake.input[k]).read_text(encoding="utf-8"))
        for k in ("registration", "field")
    )
    for volume in (brain, lesion, atlas_brain):
        volumes.check_same_grid(image, volume)
    propagated = snakemake.params.brain_mask == "atlas"
    numbers = quality.measure(image, brain, atlas_brain, lesion, field, propagated)
    log.info("%s", numbers)
    quality.write_picture(
        quality.picture(image, brain, atlas_brain, lesion), snakemake.output.picture
    )
    row = {"subject": snakemake.wildcards.subject, **registration, **numbers}
    files.write_json(row, snakemake.output.numbers)
