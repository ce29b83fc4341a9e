"""Figures and texts of the report, its front page, and the provenance of the run."""


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
            category="1 Data",
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
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in SPLIT_DATASETS],
        ages="<results>/packed/ixi/subjects.tsv",
    output:
        report(
            "<results>/figures/splits.png",
            caption="../report/splits.rst",
            category="1 Data",
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
        datasets=SPLIT_DATASETS,
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
            category="2 Training",
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


rule describe_method:
    input:
        unpack(card_files),
    output:
        report(
            "<results>/methods/{method}.html",
            caption="../report/method.rst",
            category="3 Methods",
            labels={"method": "{method}"},
        ),
    log:
        "<results>/logs/describe_method/{method}.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        docstring=lambda wildcards: docstring(f"uad.models.methods.{wildcards.method}"),
        block=lambda wildcards: config["methods"][wildcards.method],
        rows=lambda wildcards: rows_of(wildcards.method),
        models=lambda wildcards: models_of(wildcards.method),
        folds=config["folds"],
        simulated=bool(SIMULATION),
        code=code("describe_method.py"),
    script:
        "../scripts/describe_method.py"


# What figures need of the anomaly maps is kept in small files: maps are deleted after their last use,
# and a figure that is drawn again should not have them computed again.


rule collect_cases:
    input:
        unpack(test_data),
        metrics=f"{ROOT}/metrics/sadm_res-{{test_set}}/fold-{FIRST_FOLD}.tsv",
        maps=lambda wildcards: maps_of(scored_rows(), [wildcards.test_set], FIRST_FOLD),
        reconstruction=case_reconstruction,
    output:
        "<results>/figures/data/cases_{test_set}.npz",
    log:
        "<results>/logs/collect_cases/{test_set}.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        rows=scored_rows(),
        parts=lambda wildcards: branches(f"sadm_res-{wildcards.test_set}"),
        dataset=lambda wildcards: TEST_SETS[wildcards.test_set],
        fold=FIRST_FOLD,
        seed=config["seed"],
        code=code("collect_cases.py"),
    script:
        "../scripts/collect_cases.py"


rule plot_cases:
    input:
        "<results>/figures/data/cases_{test_set}.npz",
    output:
        report(
            "<results>/figures/cases_{test_set}.png",
            caption="../report/cases.rst",
            category="4 Figures",
            labels={"result": "SADM_res, in-domain (Fig. 2)", "of": "{test_set}"},
        ),
    log:
        "<results>/logs/plot_cases/{test_set}.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        row=lambda wildcards: f"sadm_res-{wildcards.test_set}",
        title=lambda wildcards: f"SADM_res trained and tested on {wildcards.test_set.upper()}",
        simulated=bool(SIMULATION),
        code=code("plot_cases.py"),
    script:
        "../scripts/plot_cases.py"


rule plot_comparison:
    input:
        [f"{ROOT}/figures/data/cases_{test_set}.npz" for test_set in REAL_CASE_SETS],
    output:
        report(
            "<results>/figures/comparison.png",
            caption="../report/comparison.rst",
            category="4 Figures",
            labels={"result": "all rows (Fig. 3)", "of": "real lesions"},
        ),
    log:
        "<results>/logs/plot_comparison.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        test_sets=REAL_CASE_SETS,
        labels={row: LABELS[row] for row in scored_rows()},
        simulated=bool(SIMULATION),
        code=code("plot_comparison.py"),
    script:
        "../scripts/plot_comparison.py"


rule plot_synthetic:
    input:
        packed=packed("draem"),
        split="<results>/splits/draem.tsv",
    output:
        report(
            "<results>/figures/synthetic.png",
            caption="../report/synthetic.rst",
            category="4 Figures",
            labels={"result": "synthetic anomalies (Fig. 4)", "of": "draem"},
        ),
    log:
        "<results>/logs/plot_synthetic.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        fold=FIRST_FOLD,
        simulated=bool(SIMULATION),
        code=code("plot_synthetic.py"),
    script:
        "../scripts/plot_synthetic.py"


rule weigh_maps:
    input:
        unpack(test_data),
        maps=lambda wildcards: maps_of(WEIGHTED_ROWS, TEST_SETS, wildcards.fold),
    output:
        "<results>/figures/data/weights_fold-{fold}.tsv",
    log:
        "<results>/logs/weigh_maps/fold-{fold}.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        rows={row: branches(row) for row in WEIGHTED_ROWS},
        test_sets=TEST_SETS,
        seed=config["seed"],
        code=code("weigh_maps.py"),
    script:
        "../scripts/weigh_maps.py"


rule plot_weights:
    input:
        of_every_fold("figures/data/weights_fold-{fold}.tsv"),
    output:
        figure=report(
            "<results>/figures/weights.svg",
            caption="../report/weights.rst",
            category="4 Figures",
            labels={"result": "weight of the residual map (Fig. 5)", "of": "SADM_res"},
        ),
        table="<results>/figures/beta.tsv",
    log:
        "<results>/logs/plot_weights.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        unhealthy=list(TEST_SETS),
        simulated=bool(SIMULATION),
        code=code("plot_weights.py"),
    script:
        "../scripts/plot_weights.py"


rule pool_detections:
    input:
        unpack(test_data),
        maps=maps_of(CURVE_ROWS, TEST_SETS, FIRST_FOLD),
    output:
        "<results>/figures/precision_recall.tsv",
    log:
        "<results>/logs/pool_detections.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        rows={row: config["rows"][row]["maps"] for row in CURVE_ROWS},
        test_sets=TEST_SETS,
        fold=FIRST_FOLD,
        seed=config["seed"],
        code=code("pool_detections.py"),
    script:
        "../scripts/pool_detections.py"


rule plot_precision_recall:
    input:
        "<results>/figures/precision_recall.tsv",
    output:
        report(
            "<results>/figures/precision_recall.svg",
            caption="../report/precision_recall.rst",
            category="4 Figures",
            labels={"result": "precision and recall", "of": "cDDPM, Unet_res, SADM_res"},
        ),
    log:
        "<results>/logs/plot_precision_recall.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        labels={row: LABELS[row] for row in CURVE_ROWS},
        unhealthy=list(TEST_SETS),
        simulated=bool(SIMULATION),
        code=code("plot_precision_recall.py"),
    script:
        "../scripts/plot_precision_recall.py"


rule plot_lesion_volume:
    input:
        [
            path
            for row in volume_rows()
            for path in of_every_fold(f"metrics/{row}/fold-{{fold}}.tsv")
        ],
    output:
        report(
            "<results>/figures/lesion_volume.svg",
            caption="../report/lesion_volume.rst",
            category="4 Figures",
            labels={"result": "Dice against lesion volume", "of": "cDDPM, SADM_res"},
        ),
    log:
        "<results>/logs/plot_lesion_volume.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        labels={row: LABELS[row] for row in volume_rows()},
        rows=VOLUME_ROWS,
        folds=config["folds"],
        simulated=bool(SIMULATION),
        code=code("plot_lesion_volume.py"),
    script:
        "../scripts/plot_lesion_volume.py"


rule tabulate_deviations:
    output:
        report(
            "<results>/tables/departures.html",
            caption="../report/departures.rst",
            category="5 Tables",
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
        blocks={
            key: config[key]
            for key in (
                "datasets",
                "preprocessing",
                "splits",
                "methods",
                "residual",
                "evaluation",
            )
        },
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
        paper_figures(),
        f"{ROOT}/figures/splits.png",
        f"{ROOT}/splits/audit.html",
        f"{ROOT}/figures/training.png",
        [f"{ROOT}/methods/{method}.html" for method in TRAINED],


rule write_methods:
    output:
        report(
            "<results>/methods.md",
            caption="../report/methods_text.rst",
            category="3 Methods",
            labels={"method": "all captions as one text"},
        ),
    log:
        "<results>/logs/write_methods.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        text=methods_text,
        code=code("write_methods.py"),
    script:
        "../scripts/write_methods.py"


rule record_provenance:
    input:
        inventories=[f"{ROOT}/inventory/{dataset}.json" for dataset in config["datasets"]],
        others=other_inputs,
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in SPLIT_DATASETS],
        abouts=[
            path
            for model in MODELS
            for path in of_every_fold(f"models/{model}/fold-{{fold}}/about.json")
        ],
        results=[f"{ROOT}/tables/table{n}.csv" for n in (1, 2, 3)],
    output:
        "<results>/provenance.json",
    log:
        "<results>/logs/record_provenance.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(20),
    params:
        config=config,
        datasets=list(config["datasets"]),
        folders=[config["hd_bet"]["weights"]] if "hd_bet" in BRAIN_MASKS.values() else [],
        code_state=lambda wildcards: code_of_run(),
        code=code("record_provenance.py"),
    script:
        "../scripts/record_provenance.py"


# Of everything else, so that it is written last.
rule front_page:
    input:
        rules.compare.output,
        rules.figures.input,
        rules.write_methods.output,
        rules.record_provenance.output,
    output:
        page=report(
            "<results>/index.html",
            caption="../report/overview.rst",
            category="0 Overview",
            labels={"result": "front page"},
        ),
        costs="<results>/tables/costs.tsv",
    log:
        "<results>/logs/front_page.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        run=run_facts,
        plan=costs_plan,
        code=code("front_page.py"),
    script:
        "../scripts/front_page.py"
