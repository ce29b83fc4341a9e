"""Metrics per subject, and Tables 1 to 3."""


rule evaluate:
    input:
        unpack(plan.row_files),
    output:
        subjects=paths.metrics("{row}", "{fold}"),
        healthy=paths.metrics("{row}", "{fold}", "healthy"),
        pooled=paths.metrics("{row}", "{fold}", "pooled"),
        curve=paths.metrics("{row}", "{fold}", "curve"),
        validation=paths.metrics("{row}", "{fold}", "validation"),
    log:
        paths.log("evaluate/{row}/fold-{fold}"),
    benchmark:
        paths.benchmark("evaluate/{row}/fold-{fold}")
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=240),
    params:
        row=plan.row_parameters,
        datasets=PLAN.test_datasets,
        test_sets=PLAN.test_sets,
        settings=config["evaluation"],
        healthy=PLAN.healthy,
        spacing_mm=config["preprocessing"]["spacing_mm"],
        seed=config["seed"],
        code=plan.row_code("evaluate.py"),
    script:
        "../scripts/evaluate.py"


rule compare:
    input:
        metrics=plan.of_every_row(),
        healthy=plan.of_every_row("healthy"),
        pooled=plan.of_every_row("pooled"),
        known=[paths.packed_file(name, "subjects.tsv") for name in PLAN.test_sets.values()],
        quality=[paths.quality(PLAN.test_sets[name], "tsv") for name in PLAN.registered_sets],
        published=plan.published(),
        splits=plan.splits(PLAN.datasets),
        test_splits=plan.splits(),
    output:
        **({"pairs": paths.table("pairs.tsv")} if config["table"]["all_pairs"] else {}),
        csv=paths.table("table1.csv"),
        tex=paths.table("table1.tex"),
        html=report(
            paths.table("table1.html"),
            caption="../report/table1.rst",
            category="5 Tables",
            labels={"result": "Table 1"},
        ),
        csv2=paths.table("table2.csv"),
        html2=report(
            paths.table("table2.html"),
            caption="../report/table2.rst",
            category="5 Tables",
            labels={"result": "Table 2: intervals and tests"},
        ),
        csv3=paths.table("table3.csv"),
        html3=report(
            paths.table("table3.html"),
            caption="../report/table3.rst",
            category="5 Tables",
            labels={"result": "Table 3: further metrics"},
        ),
        statistics=paths.table("statistics.tsv"),
        comparisons=paths.table("comparisons.tsv"),
        agreement=paths.table("agreement.tsv"),
    log:
        paths.log("compare"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=20),
    params:
        **shown(
            "compare.py",
            "table1.html.j2",
            "table1.tex.j2",
            "table2.html.j2",
            "table3.html.j2",
        ),
        rows=PLAN.table_rows(),
        registered=PLAN.registered_sets,
        random_extractors=needs.random_extractors(config),
        references=config["table"]["references"],
        min_component=config["evaluation"]["min_component"],
        folds=PLAN.folds,
        test_sets=list(PLAN.test_sets),
        seed=config["seed"],
        threshold=config["evaluation"]["threshold"],
    script:
        "../scripts/compare.py"


# After `compare`, which checks the controls.
rule judge_claims:
    input:
        metrics=plan.of_every_row(),
        weights=figures.judged_weights(),
        table1=paths.table("table1.csv"),
        test_splits=plan.splits(),
    output:
        page=report(
            paths.table("claims.html"),
            caption="../report/claims.rst",
            category="5 Tables",
            labels={"result": "The paper's claims"},
        ),
        figure=report(
            paths.figure("claims.svg"),
            caption="../report/claims.rst",
            category="4 Figures",
            labels={"result": "the paper's claims", "of": "all rows"},
        ),
        table=paths.table("claims.tsv"),
        numbers=paths.figure("claims.tsv"),
    log:
        paths.log("judge_claims"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=20),
    params:
        **shown("judge_claims.py", "claims_page.html.j2"),
        content=PLAN.claims,
        labels=figures.labels,
        folds=PLAN.folds,
        test_sets=list(PLAN.test_sets),
        weighted=figures.weighted,
        seed=config["seed"],
    script:
        "../scripts/judge_claims.py"


rule table1:
    input:
        rules.compare.output,
