"""Rule plot_cases: example cases of one test set, from input to detections (paper Fig. 2)."""

from uad import cases, figures, logs, pictures

with logs.job(snakemake.log[0]):
    params = snakemake.params
    figure = pictures.cases(cases.read(snakemake.input[0]), params.row)
    figures.heading(figure, params.title, params.simulated)
    figures.save(figure, snakemake.output[0])
