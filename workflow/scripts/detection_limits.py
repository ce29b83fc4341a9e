"""Rule detection_limits: curves and 50 % points of the planted lesions, page and figure."""

from uad.base import logs, tsv
from uad.evaluation import detection_limits
from uad.report import canvas, detection_page

with logs.job(snakemake.log[0]):
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    lesions = detection_page.read(inputs.detected, inputs.lesions, params.rows, params.folds)
    curves = detection_limits.curves(lesions)
    limits = detection_limits.limits(curves)
    tsv.write(curves, outputs.curves)
    tsv.write(limits, outputs.limits)
    figure = detection_page.overview(curves, limits, params.first, params.rows)
    canvas.heading(figure, "Detection of planted lesions", params.simulated)
    canvas.save(figure, outputs.figure)
    detection_page.write(
        outputs.page, curves, limits, params.rows, params.threshold, params.simulated
    )
