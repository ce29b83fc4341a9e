"""Rule make_splits: who trains, validates and tests in each fold."""

from pathlib import Path

from uad.base import logs, seeding, tsv
from uad.data import datasets, drawing, released

with logs.job(snakemake.log[0]) as log:
    dataset, params = snakemake.wildcards.dataset, snakemake.params
    table = tsv.read(snakemake.input.subjects)
    if params.scheme == "clean":
        stratum = datasets.load(dataset).STRATUM
        split = drawing.clean(
            subjects=table["subject"],
            strata=table[stratum] if stratum else [""] * len(table),
            n_train=params.counts["train"],
            n_val=params.counts["val"],
            n_test=params.counts["test"],
            n_folds=params.folds,
            rng=seeding.generator(params.seed, "split", dataset),
        )
    else:
        lists = snakemake.input.lists
        if params.scheme == "paper":
            rows = released.paper_rows(lists[0], dataset, table["subject"], params.folds)
        else:
            rows = released.rows(Path(lists[0]).parent, dataset, params.folds, params.needed)
        split = drawing.from_lists(rows, table["subject"], params.purge_leakage, params.needed)
    tsv.write(split, snakemake.output.split)
