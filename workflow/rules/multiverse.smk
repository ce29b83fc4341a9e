"""Ranks of the rows in all combinations of choices of the evaluation (docs/multiverse.md)."""

if "multiverse" in sys.argv and not figures.multiverse:
    raise WorkflowError(
        "snakemake multiverse needs --config 'table={multiverse: {}}', or choices of your own "
        "(docs/multiverse.md)"
    )


# Reads anomaly maps, which are deleted after their last use, as rule `calibrate` does.
rule vary:
    input:
        unpack(plan.row_files),
    output:
        paths.multiverse("{row}", "{fold}"),
    log:
        paths.log("vary/{row}/fold-{fold}"),
    benchmark:
        paths.benchmark("vary/{row}/fold-{fold}")
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=1440),
    params:
        row=plan.row_parameters,
        datasets=PLAN.test_datasets,
        test_sets=PLAN.test_sets,
        healthy=PLAN.healthy,
        choices={key: of for key, of in figures.multiverse.items() if key != "headline"},
        code=plan.row_code("vary.py"),
    script:
        "../scripts/vary.py"


rule rank:
    input:
        means=figures.multiverse_tables(),
    output:
        page=report(
            paths.table("multiverse.html"),
            caption="../report/multiverse.rst",
            category="5 Tables",
            labels={"result": "Ranks in all combinations of choices"},
        ),
        ranks=paths.table("multiverse.tsv"),
        claims=paths.table("multiverse_claims.tsv"),
        influence=paths.table("multiverse_choices.tsv"),
    log:
        paths.log("rank"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        **shown("rank.py", "multiverse_page.html.j2"),
        labels=figures.labels_of(figures.scored),
        test_sets=list(PLAN.test_sets),
        folds=PLAN.folds,
        claims=PLAN.claims,
        headline=figures.multiverse.get("headline"),
        usual=figures.usual(),
    script:
        "../scripts/rank.py"


rule multiverse:
    input:
        figures.multiverse_page(),
