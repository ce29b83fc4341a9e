"""Rule pack: all subjects of a data set in memory-mapped arrays, with a table of what is known."""

from uad.base import logs, modules, tsv
from uad.base.errors import InputError
from uad.data import datasets, packing

with logs.job(snakemake.log[0]) as log:
    subjects = [datasets.Subject(*fields) for fields in snakemake.params.subjects]
    inputs = snakemake.input
    module = modules.load(*snakemake.params.described_by.rsplit(".", 1), "data set")
    table, excluded = packing.subject_table(
        module.metadata, subjects, inputs.image, inputs.qc, inputs.demographics or None
    )
    excluded = packing.with_left_out(excluded, snakemake.params.left_out)
    for subject, reason in zip(excluded["subject"], excluded["status"]):
        log.warning("%s is excluded: %s", subject, reason)
    if table.empty:
        raise InputError(
            f"{snakemake.params.title}: every one of {len(subjects)} subjects is excluded; "
            f"{snakemake.log[0]} says why"
        )
    paths = {s.subject: p for s, p in zip(subjects, zip(inputs.image, inputs.brain, inputs.lesion))}
    packing.pack(
        folder=snakemake.output.subjects.rpartition("/")[0],
        table=table,
        files=[paths[subject] for subject in table["subject"]],
    )
    tsv.write(excluded, snakemake.output.excluded, sealed=True)
    log.info("%d subjects packed, %d excluded", len(table), len(excluded))
