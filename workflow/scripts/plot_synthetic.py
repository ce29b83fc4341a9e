"""Rule plot_synthetic: synthetic anomalies of the test set and their masks (paper Fig. 4)."""

from uad.base import logs, tsv
from uad.data import packed, splits
from uad.evaluation import cases
from uad.report import canvas, pictures

with logs.job(snakemake.log[0]):
    pack = packed.of_files(snakemake.input.packed)
    split = tsv.read(snakemake.input.split)
    subjects = splits.subjects(split, snakemake.params.fold, "test")
    figure = pictures.synthetic(cases.synthetic(pack, subjects))
    canvas.heading(figure, "Synthetic anomalies of DRAEM", snakemake.params.simulated)
    canvas.save(figure, snakemake.output[0])
