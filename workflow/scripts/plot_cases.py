"""Rule plot_cases: example cases of one test set, from input to detections (paper Fig. 2)."""

from uad.base import logs
from uad.report import canvas, joined, pictures

with logs.job(snakemake.log[0]):
    params = snakemake.params
    shown = joined.cases(snakemake.input, [params.row], snakemake.wildcards.test_set)
    figure = pictures.cases(shown, params.row)
    canvas.heading(figure, params.title, params.simulated)
    canvas.save(figure, snakemake.output[0])
