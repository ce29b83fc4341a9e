"""Rules export_nnunet and export_bids: a data set for programs outside of the workflow."""

from uad.base import logs, tsv
from uad.data import export, packed

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    write = {"export_nnunet": export.nnunet, "export_bids": export.bids}[snakemake.rule]
    write(
        snakemake.output[0],
        packed.of_files(inputs.packed),
        tsv.read(inputs.split),
        params.folds,
        params.spacing_mm,
        params.modality,
    )
