"""Rule collect_cases: slices of the example cases as one row of the table sees them."""

from uad.base import logs
from uad.evaluation import cases, complete, scored_cases, scores

with logs.job(snakemake.log[0]) as log:
    inputs, params = snakemake.input, snakemake.params
    row, datasets = params.row, list(params.test_sets.values())
    stored = scores.stored(inputs, datasets, row["networks"], row["reconstructing"])
    collected = {}
    for (test_set, dataset), path in zip(params.test_sets.items(), inputs.metrics):
        cohort, chooses = scores.Cohort(stored[dataset], params.fold), params.chosen_by[test_set]
        tested = cohort.subjects("test")
        metrics = complete.of_test_set(path, chooses, params.fold, test_set, tested)
        subjects = cases.choose(metrics)
        log.info("%s: chosen are %s", test_set, ", ".join(subjects))
        collected[test_set] = scored_cases.collect(
            row=snakemake.wildcards.row,
            maps=row["maps"],
            cohort=cohort,
            subjects=subjects,
            residual=row["residual"],
            seed=params.seed,
            parts=params.parts.get(test_set, ()),
        )
    cases.write(collected, snakemake.output[0])
