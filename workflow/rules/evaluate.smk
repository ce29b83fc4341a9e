"""Metrics per subject, and Table 1."""


rule evaluate:
    input:
        unpack(test_packs),
        maps=row_maps,
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in TEST_DATASETS],
    output:
        "<results>/metrics/{row}/fold-{fold}.tsv",
    log:
        "<results>/logs/evaluate/{row}/fold-{fold}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        maps=lambda wildcards: config["rows"][wildcards.row]["maps"],
        test_sets=config["unhealthy"],
        seed=config["seed"],
        code=lambda wildcards: code(
            "evaluate.py",
            *(
                f"uad.methods.{name}"
                for name in config["rows"][wildcards.row]["maps"]
                if name in methods.CONTROLS
            ),
        ),
    script:
        "../scripts/evaluate.py"


rule compare:
    input:
        metrics=[
            path
            for row in config["rows"]
            for path in of_every_fold(f"metrics/{row}/fold-{{fold}}.tsv")
        ],
        paper="workflow/resources/table1_paper.csv",
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in config["datasets"]],
    output:
        csv="<results>/tables/table1.csv",
        tex="<results>/tables/table1.tex",
        html=report(
            "<results>/tables/table1.html",
            caption="../report/table1.rst",
            category="Table 1",
            labels={"result": "Table 1"},
        ),
    log:
        "<results>/logs/compare.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        rows=config["rows"],
        folds=config["folds"],
        simulated=bool(SIMULATION),
        code=code("compare.py"),
    script:
        "../scripts/compare.py"


rule table1:
    input:
        rules.compare.output,
