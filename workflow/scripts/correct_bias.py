"""Rule correct_bias: N4 inside the brain; everything outside becomes zero."""

from uad.base import exclusion, files, logs
from uad.imaging import intensity, masks, volumes

with logs.job(snakemake.log[0]) as log:
    inputs, outputs = snakemake.input, snakemake.output
    atlas_brain = volumes.read(inputs.atlas_brain)
    with exclusion.recorded(outputs):
        image = volumes.read(inputs.image)
        mask = volumes.read(inputs.mask, "uint8")
        for volume in (mask, atlas_brain):
            volumes.check_same_grid(image, volume)
        masks.check_brain(mask, atlas_brain)
        settings = dict(snakemake.params.settings)
        if snakemake.params.stripped:
            settings["weights"] = "binary"
        corrected, field_range = intensity.correct_bias(image, mask, **settings)
        log.info("bias field from %.3f to %.3f (1st to 99th percentile)", *field_range)
        volumes.write(image.like(corrected), outputs.image)
        percentiles = dict(zip(("field_p01", "field_p99"), field_range))
        files.write_json(percentiles, outputs.field)
