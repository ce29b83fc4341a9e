"""Rule register_scan: carry a scan to the atlas, or say why that cannot be done."""

from uad.base import exclusion, files, logs, settings
from uad.base.errors import InputError
from uad.imaging import registration, volumes
from uad.imaging.settings import Registration
from uad.predict import bundle, checks, scans

with logs.job(snakemake.log[0]) as log:
    inputs, outputs = snakemake.input, snakemake.output
    manifest = bundle.read(inputs.bundle)
    bundle.check_atlas(inputs.bundle, manifest, head=inputs.atlas_head, brain=inputs.atlas_brain)
    registration.set_up(manifest["seed"])
    grid = manifest["atlas"]["shape"], manifest["atlas"]["spacing_mm"]
    head, brain = volumes.read_atlas(inputs.atlas_head, inputs.atlas_brain, *grid)
    atlas = brain if snakemake.params.how == "threshold" else head
    block = manifest["preprocessing"]["registration"]
    search = settings.build(Registration, block, f"{inputs.bundle}: registration")
    with exclusion.recorded(outputs):
        checks.check_file(inputs.scan)
        reason = scans.conflicting_name(inputs.scan, manifest["modality"])
        if reason:
            raise InputError(f"{inputs.scan}: {reason}")
        image, lesion = volumes.read_scan(inputs.scan)
        result = registration.register_subject(image, lesion, atlas, brain, search)
        log.info("%s", result.quality)
        if result.quality["status"] != "ok":
            raise InputError(f"{inputs.scan}: {result.quality['status']}")
        volumes.write(result.image, outputs.image)
        registration.write_transform(result.affine, outputs.transform)
        files.write_json(result.quality, outputs.quality)
