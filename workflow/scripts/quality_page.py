"""Rule quality_page: outliers, distributions and pictures of a data set's preprocessing."""

from uad.base import exclusion, logs, tsv
from uad.report import joined, quality_page

with logs.job(snakemake.log[0]) as log:
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    pairs = zip(inputs.numbers, inputs.pictures)
    measured = [(numbers, picture) for numbers, picture in pairs if not exclusion.reason(numbers)]
    rows = quality_page.with_lesion_kept(
        joined.subject_records(numbers for numbers, _ in measured), tsv.read(inputs.packed)
    )
    quality = quality_page.table(rows, tsv.read(inputs.excluded))
    pictures = {row["subject"]: path for row, (_, path) in zip(rows, measured)}
    quality_page.write_table(quality.subjects, outputs.table)
    quality_page.write(outputs.page, quality, pictures, params.title, params.simulated)
    n_remarks = (quality.subjects["remarks"] != "").sum()
    log.info("%d subjects, %d with remarks", len(quality.subjects), n_remarks)
