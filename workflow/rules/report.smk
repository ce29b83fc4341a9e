"""Figures of the report."""


rule plot_cohort:
    input:
        native=lambda wildcards: [
            f"{raw_folder(wildcards.dataset)}/{subject.image}"
            for subject in montage_subjects(wildcards.dataset)
        ],
        preprocessed=montage_files("image"),
        masks=montage_files("brain"),
        packed=lambda wildcards: packed(wildcards.dataset),
    output:
        report(
            "<results>/figures/cohort_{dataset}.png",
            caption="../report/cohort.rst",
            category="Data",
            labels={"result": "preprocessing", "of": "{dataset}"},
        ),
    log:
        "<results>/logs/plot_cohort/{dataset}.log",
    wildcard_constraints:
        dataset="|".join(config["datasets"]),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        subjects=lambda wildcards: [s.subject for s in montage_subjects(wildcards.dataset)],
        title=lambda wildcards: datasets.load(wildcards.dataset).TITLE,
        simulated=bool(SIMULATION),
        code=code("plot_cohort.py"),
    script:
        "../scripts/plot_cohort.py"


rule plot_splits:
    input:
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in [*config["datasets"], "draem"]],
        ages="<results>/packed/ixi/subjects.tsv",
    output:
        report(
            "<results>/figures/splits.png",
            caption="../report/splits.rst",
            category="Data",
            labels={"result": "splits", "of": "all"},
        ),
    log:
        "<results>/logs/plot_splits.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        datasets=[*config["datasets"], "draem"],
        simulated=bool(SIMULATION),
        code=code("plot_splits.py"),
    script:
        "../scripts/plot_splits.py"


rule plot_training:
    input:
        [
            path
            for model in MODELS
            for path in of_every_fold(f"models/{model}/fold-{{fold}}/history.tsv")
        ],
    output:
        report(
            "<results>/figures/training.png",
            caption="../report/training.rst",
            category="Training",
            labels={"result": "loss", "of": "all models"},
        ),
    log:
        "<results>/logs/plot_training.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        models=MODELS,
        folds=config["folds"],
        simulated=bool(SIMULATION),
        code=code("plot_training.py"),
    script:
        "../scripts/plot_training.py"


rule plot_cases:
    input:
        packed=lambda wildcards: packed(config["unhealthy"][wildcards.test_set]),
        split=lambda wildcards: f"{ROOT}/splits/{config['unhealthy'][wildcards.test_set]}.tsv",
        metrics=f"{ROOT}/metrics/sadm_res-{{test_set}}/fold-{config['folds'][0]}.tsv",
        reconstruction=case_file("reconstructions/cddpm", "reconstruction"),
        residual=case_file("scores/cddpm", "anomaly_map"),
        prediction=case_file("scores/unet_res-{test_set}", "anomaly_map"),
    output:
        report(
            "<results>/figures/cases_{test_set}.png",
            caption="../report/cases.rst",
            category="Examples",
            labels={"result": "SADM_res, in-domain", "of": "{test_set}"},
        ),
    log:
        "<results>/logs/plot_cases/{test_set}.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        fold=config["folds"][0],
        title=lambda wildcards: f"SADM_res trained and tested on {wildcards.test_set.upper()}",
        simulated=bool(SIMULATION),
        code=code("plot_cases.py"),
    script:
        "../scripts/plot_cases.py"


rule tabulate_deviations:
    output:
        report(
            "<results>/tables/departures.html",
            caption="../report/departures.rst",
            category="Table 1",
            labels={"result": "departures from paper and code"},
        ),
    log:
        "<results>/logs/tabulate_deviations.log",
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        blocks={key: config[key] for key in ("datasets", "preprocessing", "splits", "methods")},
        simulated=bool(SIMULATION),
        code=code("tabulate_deviations.py"),
    script:
        "../scripts/tabulate_deviations.py"


rule figures:
    input:
        rules.tabulate_deviations.output,
        f"{ROOT}/inventory/datasets.html",
        [f"{ROOT}/qc/{dataset}.html" for dataset in REGISTERED],
        [f"{ROOT}/figures/cohort_{dataset}.png" for dataset in config["datasets"]],
        [f"{ROOT}/figures/cases_{test_set}.png" for test_set in CASE_SETS],
        f"{ROOT}/figures/splits.png",
        f"{ROOT}/splits/audit.html",
        f"{ROOT}/figures/training.png",
