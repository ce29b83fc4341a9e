"""Rule downsample: crop, scale and halve; the volume the networks see."""

from uad.base import logs, settings
from uad.imaging import downsample, volumes
from uad.imaging.settings import Downsampling

with logs.job(snakemake.log[0]):
    image = volumes.read(snakemake.input.image)
    block = settings.build(Downsampling, snakemake.params.settings, "preprocessing")
    prepared = snakemake.params.prepared
    fractional = prepared and block.masks == "fractional"
    read_brain = volumes.read_fractions if fractional else volumes.read_mask
    brain = read_brain(snakemake.input.brain)
    lesion_path = snakemake.input.get("lesion")
    lesion = volumes.read_mask(lesion_path) if lesion_path else image.empty_mask()
    volumes.check_same_grid(image, brain)
    volumes.check_same_grid(image, lesion)
    volumes.check_not_empty(brain)
    results = downsample.downsample(image, brain, lesion, block, prepared)
    for volume, path in zip(results, snakemake.output):
        volumes.write(volume, path)
