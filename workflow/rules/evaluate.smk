"""Metrics per subject, and Tables 1 to 3."""


rule evaluate:
    input:
        unpack(test_packs),
        maps=row_maps,
        reconstructions=row_reconstructions,
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in TEST_DATASETS],
    output:
        subjects="<results>/metrics/{row}/fold-{fold}.tsv",
        healthy="<results>/metrics/{row}/fold-{fold}_healthy.tsv",
        pooled="<results>/metrics/{row}/fold-{fold}_pooled.tsv",
    log:
        "<results>/logs/evaluate/{row}/fold-{fold}.log",
    benchmark:
        "<results>/benchmarks/evaluate/{row}/fold-{fold}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        maps=lambda wildcards: config["rows"][wildcards.row]["maps"],
        reconstruction=row_reconstruction,
        test_sets=TEST_SETS,
        min_component=config["evaluation"]["min_component"],
        threshold=config["evaluation"]["threshold"],
        healthy=HEALTHY,
        spacing_mm=config["preprocessing"]["spacing_mm"],
        seed=config["seed"],
        code=lambda wildcards: code(
            "evaluate.py",
            *(
                f"uad.evaluation.controls.{name}"
                for name in config["rows"][wildcards.row]["maps"]
                if name in controls.CONTROLS
            ),
        ),
    script:
        "../scripts/evaluate.py"


rule compare:
    input:
        metrics=of_every_row("metrics/{row}/fold-{fold}.tsv"),
        healthy=of_every_row("metrics/{row}/fold-{fold}_healthy.tsv"),
        pooled=of_every_row("metrics/{row}/fold-{fold}_pooled.tsv"),
        known=[f"{ROOT}/packed/{dataset}/subjects.tsv" for dataset in TEST_SETS.values()],
        published=config["table"]["published"] or [],
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in config["datasets"]],
    output:
        csv="<results>/tables/table1.csv",
        tex="<results>/tables/table1.tex",
        html=report(
            "<results>/tables/table1.html",
            caption="../report/table1.rst",
            category="5 Tables",
            labels={"result": "Table 1"},
        ),
        csv2="<results>/tables/table2.csv",
        html2=report(
            "<results>/tables/table2.html",
            caption="../report/table2.rst",
            category="5 Tables",
            labels={"result": "Table 2: intervals and tests"},
        ),
        csv3="<results>/tables/table3.csv",
        html3=report(
            "<results>/tables/table3.html",
            caption="../report/table3.rst",
            category="5 Tables",
            labels={"result": "Table 3: further metrics"},
        ),
        statistics="<results>/tables/statistics.tsv",
        comparisons="<results>/tables/comparisons.tsv",
        agreement="<results>/tables/agreement.tsv",
    log:
        "<results>/logs/compare.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        rows=config["rows"],
        random_extractors=uad_config.random_extractors(config),
        folds=config["folds"],
        test_sets=list(TEST_SETS),
        seed=config["seed"],
        simulated=bool(SIMULATION),
        threshold=config["evaluation"]["threshold"],
        code=code("compare.py"),
    script:
        "../scripts/compare.py"


rule table1:
    input:
        rules.compare.output,
