"""Rule collect_cases: slices and scores of the example cases of one test set."""

from pathlib import Path

from uad.base import logs, tsv
from uad.evaluation import cases

with logs.job(snakemake.log[0]) as log:
    params, test_set = snakemake.params, snakemake.wildcards.test_set
    metrics = tsv.read(snakemake.input.metrics).query("test_set == @test_set")
    subjects = cases.choose(metrics)
    log.info("chosen: %s", ", ".join(subjects))
    collected = cases.collect(
        root=Path(snakemake.output[0]).parents[2],
        rows=params.rows,
        parts=params.parts,
        dataset=params.dataset,
        fold=params.fold,
        subjects=subjects,
        reconstruction=snakemake.input.reconstruction,
        seed=params.seed,
    )
    cases.write(collected, snakemake.output[0])
