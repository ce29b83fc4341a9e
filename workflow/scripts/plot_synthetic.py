"""Rule plot_synthetic: synthetic anomalies of the test set, before and after (paper Fig. 4)."""

from uad.base import logs, tsv
from uad.data import packed, splits
from uad.evaluation import synthetic_cases
from uad.report import canvas, pictures

with logs.job(snakemake.log[0]):
    made, healthy = (
        packed.of_files(snakemake.input.packed),
        packed.of_files(snakemake.input.healthy),
    )
    split = tsv.read(snakemake.input.split)
    subjects = splits.subjects(split, snakemake.params.fold, "test")
    figure = pictures.synthetic(synthetic_cases.collect(made, healthy, subjects))
    canvas.heading(figure, "Synthetic anomalies of DRAEM", snakemake.params.simulated)
    canvas.save(figure, snakemake.output[0])
