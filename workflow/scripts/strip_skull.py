"""Rule strip_skull: brain mask on the atlas grid."""

from uad.base import exclusion, logs
from uad.imaging import brain_masks, volumes

with logs.job(snakemake.log[0]) as log:
    atlas_brain = volumes.read(snakemake.input.atlas_brain)
    with exclusion.recorded(snakemake.output):
        image = volumes.read(snakemake.input.image)
        how = snakemake.params.how
        if how == "atlas":
            mask = brain_masks.from_atlas(image.array, atlas_brain.array > 0)
        else:
            mask = brain_masks.from_threshold(image.array)
        mask = image.like(mask)
        volumes.check_not_empty(mask)
        log.info("brain mask: %.0f ml", mask.array.sum() * mask.voxel_ml)
        volumes.write(mask, snakemake.output.mask)
