"""Rule locate_lesions: where the lesions of a packed data set are."""

from uad.base import logs, tsv
from uad.evaluation import places

with logs.job(snakemake.log[0]):
    table = places.table(snakemake.input, snakemake.params.spacing_mm)
    tsv.write(table, snakemake.output[0], sealed=True)
