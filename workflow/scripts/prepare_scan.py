"""Rule prepare_scan: brain mask, bias field, and the small volume that the networks see."""

from uad.base import exclusion, files, logs
from uad.imaging import volumes
from uad.predict import bundle, prepare

with logs.job(snakemake.log[0]) as log:
    inputs, outputs = snakemake.input, snakemake.output
    manifest = bundle.read(inputs.bundle)
    atlas_brain = volumes.read(inputs.atlas_brain)
    with exclusion.recorded(outputs):
        image = volumes.read(inputs.image)
        if inputs.get("mask"):
            mask = volumes.read(inputs.mask[0], "uint8")
        else:
            mask = prepare.find_brain(image, atlas_brain, snakemake.params.how)
        prepared, numbers = prepare.prepare(
            image,
            mask,
            atlas_brain,
            manifest["preprocessing"],
            manifest["modality"],
            stripped=snakemake.params.how == "threshold",
        )
        log.info("%s", numbers)
        prepare.save(prepared, outputs.prepared)
        files.write_json(numbers, outputs.quality)
