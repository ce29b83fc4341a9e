"""Rule make_splits: who trains, validates and tests in each fold."""

from pathlib import Path

from uad.base import logs, seeding, tsv
from uad.base.errors import InputError
from uad.data import datasets, drawing, released

with logs.job(snakemake.log[0]) as log:
    dataset, inputs, params = snakemake.wildcards.dataset, snakemake.input, snakemake.params
    table, excluded = tsv.read(inputs.subjects), tsv.read(inputs.excluded)
    rows = None
    if params.scheme == "paper":
        persons = table["subject"].map(datasets.person).drop_duplicates()
        rows = released.paper_rows(inputs.lists[0], dataset, persons, params.folds)
    elif params.scheme == "released":
        rows = released.rows(Path(inputs.lists[0]).parent, dataset, params.folds, params.needed)
    try:
        if rows is None:
            split = drawing.clean(
                subjects=table["subject"],
                strata=table[params.stratum] if params.stratum else [""] * len(table),
                n_train=params.counts["train"],
                n_val=params.counts["val"],
                n_test=params.counts["test"],
                n_folds=params.folds,
                rng=seeding.generator(params.seed, "split", dataset),
            )
        else:
            split = drawing.from_lists(rows, table["subject"], params.purge_leakage, params.needed)
    except InputError as error:
        raise InputError(
            f"{params.title}: {error}; {len(excluded)} were left out or excluded, "
            f"{inputs.excluded} says why"
        ) from error
    tsv.write(split, snakemake.output.split, sealed=True)
