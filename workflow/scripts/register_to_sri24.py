"""Rule register_to_sri24: carry image and lesion mask to the atlas grid by one affine."""

from uad.base import files, logs
from uad.imaging import registration, volumes
from uad.imaging.settings import Registration

with logs.job(snakemake.log[0]) as log:
    registration.set_up(snakemake.params.seed)
    settings = Registration(**snakemake.params.settings)
    image = volumes.read(snakemake.input.image)
    lesion_path = snakemake.input.get("lesion")
    lesion = image.empty_mask()
    if lesion_path:
        lesion = volumes.read_mask(lesion_path, snakemake.params.lesion_labels)
    volumes.check_same_grid(image, lesion)
    inputs, params = snakemake.input, snakemake.params
    head, brain = volumes.read_atlas(inputs.atlas_head, inputs.atlas_brain, *params.grid)
    # Heads are registered to the head template, stripped images to the brain.
    atlas = brain if params.stripped else head

    affine, quality = registration.register(image, atlas, brain, settings)
    conflict = volumes.header_conflict(snakemake.input.image)
    if conflict:
        quality["status"] = conflict
    registered = registration.resample(image, atlas, affine, "linear")
    log.info("similarity %(similarity).3f, starts %(starts)d, status %(status)s", quality)

    volumes.write(registered, snakemake.output.image)
    volumes.write(registration.resample(lesion, atlas, affine, "nearest"), snakemake.output.lesion)
    registration.write_transform(affine, snakemake.output.transform)
    files.write_json(quality, snakemake.output.qc)
