"""Rule register_scan: carry a scan to the atlas, or say why that cannot be done."""

from uad.base import exclusion, files, logs, settings
from uad.imaging import registration, volumes
from uad.imaging.settings import Registration
from uad.predict import bundle, prepare

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
        result = prepare.register(inputs.scan, manifest["modality"], atlas, brain, search)
        log.info("%s", result.quality)
        volumes.write(result.image, outputs.image)
        registration.write_transform(result.affine, outputs.transform)
        files.write_json(result.quality, outputs.quality)
