"""Rule strip_skull_given: a brain mask that came with the scan, on the atlas grid."""

from uad.base import exclusion, logs
from uad.imaging import registration, volumes

with logs.job(snakemake.log[0]) as log:
    inputs, sides = snakemake.input, snakemake.params.assume_orientation
    with exclusion.recorded(snakemake.output):
        image = volumes.read(inputs.image)
        given = volumes.read_mask(inputs.brain, assume_orientation=sides)
        volumes.check_same_grid(volumes.read(inputs.native, assume_orientation=sides), given)
        volumes.check_not_empty(given)
        affine = registration.read_transform(inputs.transform)
        mask = registration.resample_mask(given, image, affine, "nearest")
        volumes.check_not_empty(mask)
        log.info("brain mask: %.0f ml", mask.array.sum() * mask.voxel_ml)
        volumes.write(mask, snakemake.output.mask)
