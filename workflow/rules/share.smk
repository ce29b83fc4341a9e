"""A run's numbers in one file, for `uad compare` (docs/compare.md)."""


rule share_numbers:
    input:
        metrics=[
            path for kind in ("subjects", "healthy", "pooled") for path in plan.of_every_row(kind)
        ],
        known=[paths.packed_file(name, "subjects.tsv") for name in PLAN.test_sets.values()],
        quality=[paths.quality(PLAN.test_sets[name], "tsv") for name in PLAN.registered_sets],
        splits=plan.splits(PLAN.datasets),
        test_splits=plan.splits(),
        weights=figures.judged_weights(),
        published=plan.published(),
        record=paths.provenance,
    output:
        paths.shared,
    log:
        paths.log("share"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=20),
    params:
        tables=figures.shared_tables(),
        root=lambda wildcards: paths.root,
        code=plan.code("share.py"),
    script:
        "../scripts/share.py"


rule share:
    input:
        rules.share_numbers.output,
