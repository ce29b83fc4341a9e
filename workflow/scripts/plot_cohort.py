"""Rule plot_cohort: some subjects of a data set from native scan to what the networks see."""

from uad.base import logs
from uad.data import packed
from uad.report import canvas
from uad.report.cohort import cohort

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    pack = packed.of_files(inputs.packed)
    figure = cohort(
        params.subjects,
        inputs.native,
        inputs.preprocessed,
        inputs.masks,
        pack,
        params.assume_orientation,
    )
    canvas.heading(figure, params.title, params.simulated)
    canvas.save(figure, snakemake.output[0])
