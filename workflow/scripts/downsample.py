"""Rule downsample: crop, scale and halve; the volume the networks see."""

from uad.base import logs
from uad.imaging import downsample, volumes

with logs.job(snakemake.log[0]):
    image = volumes.read(snakemake.input.image)
    brain = volumes.read_mask(snakemake.input.brain)
    lesion_path = snakemake.input.get("lesion")
    lesion = volumes.read_mask(lesion_path) if lesion_path else image.empty_mask()
    volumes.check_same_grid(image, brain)
    volumes.check_same_grid(image, lesion)
    volumes.check_not_empty(brain)
    settings = downsample.Settings(**snakemake.params.settings)
    results = downsample.downsample(image, brain, lesion, settings)
    for volume, path in zip(results, snakemake.output):
        volumes.write(volume, path)
