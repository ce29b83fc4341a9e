"""Rule inventory: what there is of a data set, and whether it can be read."""

from uad.base import files, logs
from uad.data import datasets, inventory

with logs.job(snakemake.log[0]) as log:
    module = datasets.load(snakemake.wildcards.dataset)
    line = {
        "title": module.TITLE,
        "licence": module.LICENCE,
        "source": module.SOURCE,
        "citation": module.CITATION,
        "modality": snakemake.params.modality,
        "cases": module.CASES.get(snakemake.params.modality, 0),
        "needed": inventory.needed(snakemake.params.counts),
        "unreadable": inventory.take(snakemake.input.files, snakemake.threads),
        "sha256": inventory.digest(
            snakemake.input.files, snakemake.params.known["folder"], snakemake.threads
        ),
        **snakemake.params.known,
    }
    log.info("%d found, %s", line["found"], inventory.state(line))
    files.write_json(line, snakemake.output[0])
