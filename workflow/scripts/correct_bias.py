"""Rule correct_bias: N4 inside the brain; everything outside becomes zero."""

from uad.base import files, logs
from uad.imaging import intensity, volumes

with logs.job(snakemake.log[0]) as log:
    image = volumes.read(snakemake.input.image)
    mask = volumes.read(snakemake.input.mask, "uint8")
    volumes.check_same_grid(image, mask)
    volumes.check_not_empty(mask)
    settings = dict(snakemake.params.settings)
    if snakemake.params.stripped:
        settings["weights"] = "binary"
    corrected, field_range = intensity.correct_bias(image, mask, **settings)
    log.info("bias field from %.3f to %.3f (1st to 99th percentile)", *field_range)
    volumes.write(image.like(corrected), snakemake.output.image)
    percentiles = dict(zip(("field_p01", "field_p99"), field_range))
    files.write_json(percentiles, snakemake.output.field)
