"""Rule downsample: crop, scale and halve; the volume the networks see."""

from uad.base import logs, settings
from uad.imaging import brain_volume, downsample, volumes
from uad.imaging.settings import Downsampling

with logs.job(snakemake.log[0]):
    image = volumes.read(snakemake.input.image)
    brain = volumes.read_mask(snakemake.input.brain)
    lesion_path = snakemake.input.get("lesion")
    lesion = volumes.read_mask(lesion_path) if lesion_path else image.empty_mask()
    volumes.check_same_grid(image, brain)
    volumes.check_same_grid(image, lesion)
    volumes.check_not_empty(brain)
    block = settings.build(Downsampling, snakemake.params.settings, "preprocessing")
    brain_volume.check(brain, block.brain_ml)
    results = downsample.downsample(image, brain, lesion, block)
    for volume, path in zip(results, snakemake.output):
        volumes.write(volume, path)
