"""Rule plot_cases: example cases of one test set, from input to detections (paper Fig. 2)."""

from uad.base import logs
from uad.evaluation import cases
from uad.report import canvas, pictures

with logs.job(snakemake.log[0]):
    params = snakemake.params
    figure = pictures.cases(cases.read(snakemake.input, snakemake.wildcards.test_set), params.row)
    canvas.heading(figure, params.title, params.simulated)
    canvas.save(figure, snakemake.output[0])
