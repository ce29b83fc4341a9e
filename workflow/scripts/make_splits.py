"""Rule make_splits: who trains, validates and tests in each fold."""

from uad import datasets, logs, packed, seeding, splits

with logs.job(snakemake.log[0]):
    dataset = snakemake.wildcards.dataset
    table = packed.read_table(snakemake.input.subjects)
    stratum = datasets.load(dataset).STRATUM
    counts = snakemake.params.counts
    split = splits.clean(
        subjects=table["subject"],
        strata=table[stratum] if stratum else [""] * len(table),
        n_train=counts["train"],
        n_val=counts["val"],
        n_test=counts["test"],
        n_folds=snakemake.params.folds,
        rng=seeding.generator(snakemake.params.seed, "split", dataset),
    )
    packed.write_table(split, snakemake.output.split)
