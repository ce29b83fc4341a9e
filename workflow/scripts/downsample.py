"""Rule downsample: crop, scale and halve; the volume the networks see."""

from uad.base import exclusion, logs, settings
from uad.imaging import downsample, masks, volumes
from uad.imaging.settings import Downsampling

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    block = settings.build(Downsampling, params.settings, "preprocessing")
    with exclusion.recorded(snakemake.output):
        image = volumes.read(inputs.image, assume_orientation=params.assume_orientation)
        fractional = params.prepared and block.masks == "fractional"
        read_brain = volumes.read_fractions if fractional else volumes.read_soft_mask
        brain = read_brain(inputs.brain, params.assume_orientation)
        lesion = image.empty_mask()
        if lesion_path := inputs.get("lesion"):
            lesion = volumes.read_soft_mask(lesion_path, params.assume_orientation)
        volumes.check_same_grid(image, brain)
        volumes.check_same_grid(image, lesion)
        volumes.check_not_empty(brain)
        masks.check_lesion(lesion, brain)
        results = downsample.downsample(image, brain, lesion, block, params.prepared)
        for volume, path in zip(results, snakemake.output):
            volumes.write(volume, path)
