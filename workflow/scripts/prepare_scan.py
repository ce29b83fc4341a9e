"""Rule prepare_scan: brain mask, bias field, and the small volume that the networks see."""

from uad.base import files, logs
from uad.imaging import volumes
from uad.predict import bundle, prepare, refusals

with logs.job(snakemake.log[0]) as log:
    inputs, outputs = snakemake.input, snakemake.output
    manifest = bundle.read(inputs.bundle)
    found = inputs.get("mask")

    def run() -> None:
        image, atlas_brain = volumes.read(inputs.image), volumes.read(inputs.atlas_brain)
        if found:
            mask = volumes.read(found, "uint8")
        else:
            mask = prepare.find_brain(image, atlas_brain, snakemake.params.how)
        prepared, numbers = prepare.prepare(
            image, mask, atlas_brain, manifest["preprocessing"], manifest["modality"]
        )
        log.info("%s", numbers)
        prepare.save(prepared, outputs.prepared)
        files.write_json(numbers, outputs.quality)

    refusals.run(run, [inputs.image, *([found] if found else [])], outputs)
