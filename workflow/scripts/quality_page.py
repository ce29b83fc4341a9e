"""Rule quality_page: outliers, distributions and pictures of a data set's preprocessing."""

from uad.base import logs, tsv
from uad.report import joined, quality_page

with logs.job(snakemake.log[0]) as log:
    rows = quality_page.with_lesion_kept(
        joined.subject_records(snakemake.input.numbers), tsv.read(snakemake.input.packed)
    )
    quality = quality_page.table(rows, tsv.read(snakemake.input.excluded))
    pictures = {row["subject"]: path for row, path in zip(rows, snakemake.input.pictures)}
    params, subjects = snakemake.params, quality.subjects
    quality_page.write_table(subjects, snakemake.output.table)
    quality_page.write(snakemake.output.page, quality, pictures, params.title, params.simulated)
    log.info("%d subjects, %d with remarks", len(subjects), (subjects["remarks"] != "").sum())
