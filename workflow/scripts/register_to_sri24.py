"""Rule register_to_sri24: carry image and lesion mask to the atlas grid by one affine."""

from uad.base import exclusion, files, logs
from uad.imaging import registration, volumes
from uad.imaging.settings import Registration

with logs.job(snakemake.log[0]) as log:
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    registration.set_up(params.seed)
    head, brain = volumes.read_atlas(inputs.atlas_head, inputs.atlas_brain, *params.grid)
    # Heads are registered to the head template, stripped images to the brain.
    atlas = brain if params.stripped else head
    settings = Registration(**params.settings)
    with exclusion.recorded(outputs):
        image, lesion = volumes.read_scan(
            inputs.image, inputs.get("lesion"), params.lesion_labels, params.assume_orientation
        )
        result = registration.register_subject(image, lesion, atlas, brain, settings)
        log.info("similarity %(similarity).3f, starts %(starts)d, %(status)s", result.quality)
        volumes.write(result.image, outputs.image)
        volumes.write(result.lesion, outputs.lesion)
        registration.write_transform(result.affine, outputs.transform)
        files.write_json(result.quality, outputs.qc)
