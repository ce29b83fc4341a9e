"""Figures and texts of the report, its front page, and the provenance of the run."""


rule plot_cohort:
    input:
        native=figures.montage_native,
        preprocessed=figures.montage_files("image"),
        masks=figures.montage_files("brain"),
        packed=lambda wildcards: paths.packed(wildcards.dataset),
    output:
        report(
            paths.figure("cohort_{dataset}.png"),
            caption="../report/cohort.rst",
            category="1 Data",
            labels={"result": "preprocessing", "of": "{dataset}"},
        ),
    log:
        paths.log("plot_cohort/{dataset}"),
    wildcard_constraints:
        dataset="|".join(PLAN.datasets),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=10),
    params:
        **shown("plot_cohort.py"),
        subjects=figures.montage_names,
        assume_orientation=cohort.assume_orientation,
        title=cohort.title,
    script:
        "../scripts/plot_cohort.py"


rule plot_splits:
    input:
        splits=plan.splits(PLAN.split_datasets),
        known=[paths.packed_file(name, "subjects.tsv") for name in config["healthy"]],
    output:
        report(
            paths.figure("splits.png"),
            caption="../report/splits.rst",
            category="1 Data",
            labels={"result": "splits", "of": "all"},
        ),
    log:
        paths.log("plot_splits"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("plot_splits.py"),
        datasets=PLAN.split_datasets,
        healthy=config["healthy"],
    script:
        "../scripts/plot_splits.py"


rule plot_training:
    input:
        plan.of_models("history.tsv", PLAN.learning),
    output:
        report(
            paths.figure("training.png"),
            caption="../report/training.rst",
            category="2 Training",
            labels={"result": "loss", "of": "all models"},
        ),
    log:
        paths.log("plot_training"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("plot_training.py"),
        epochs={model: PLAN.epochs[model] for model in PLAN.learning},
        folds=PLAN.folds,
    script:
        "../scripts/plot_training.py"


rule describe_method:
    input:
        unpack(plan.method_files),
    output:
        report(
            paths.method_page("{method}"),
            caption="../report/method.rst",
            category="3 Methods",
            labels={"method": "{method}"},
        ),
    log:
        paths.log("describe_method/{method}"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("describe_method.py", "method_page.html.j2"),
        docstring=plan.docstring,
        block=lambda wildcards: config["methods"][wildcards.method],
        rows=plan.rows_of,
        epochs=lambda wildcards: {m: PLAN.epochs[m] for m in PLAN.models_of(wildcards)},
        folds=PLAN.folds,
    script:
        "../scripts/describe_method.py"


# What figures need of the anomaly maps is kept in small files: maps are deleted after their last use,
# and a figure that is drawn again should not have them computed again.


rule collect_cases:
    input:
        unpack(figures.case_files),
    output:
        paths.cases("{row}"),
    log:
        paths.log("collect_cases/{row}"),
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=20),
    params:
        row=plan.row_parameters,
        parts=figures.parts,
        chosen_by=figures.chosen_by,
        test_sets={name: PLAN.test_sets[name] for name in figures.case_sets},
        fold=figures.fold,
        seed=config["seed"],
        code=plan.row_code("collect_cases.py"),
    script:
        "../scripts/collect_cases.py"


rule collect_maps:
    input:
        unpack(figures.map_files),
    output:
        paths.map_pictures("{row}"),
    log:
        paths.log("collect_maps/{row}"),
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=120),
    params:
        row=plan.row_parameters,
        test_sets=PLAN.test_sets,
        fold=figures.fold,
        seed=config["seed"],
        code=plan.row_code("collect_maps.py"),
    script:
        "../scripts/collect_maps.py"


rule detail_pages:
    input:
        metrics=plan.of_every_row(),
        pooled=plan.of_every_row("pooled"),
        test_splits=plan.splits(),
        packed=[path for name in PLAN.test_sets.values() for path in paths.packed(name)],
        quality=[paths.quality(PLAN.test_sets[name], "tsv") for name in PLAN.registered_sets],
        histories=plan.of_models("history.tsv", PLAN.learning),
        maps=[paths.map_pictures(row) for row in figures.scored],
    output:
        rows=[paths.row_page(row) for row in config["rows"]],
        sets=[paths.subjects_page(name) for name in PLAN.test_sets],
        subjects=[directory(paths.subject_pages(name)) for name in PLAN.test_sets],
    log:
        paths.log("detail_pages"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=60),
    params:
        **shown(
            "detail_pages.py",
            "row_page.html.j2",
            "subject_page.html.j2",
            "subjects_page.html.j2",
        ),
        rows=config["rows"],
        test_sets=PLAN.test_sets,
        registered=PLAN.registered_sets,
        fold=figures.fold,
        folds=PLAN.folds,
        epochs={model: PLAN.epochs[model] for model in PLAN.learning},
        models=figures.models_by_row(),
    script:
        "../scripts/detail_pages.py"


rule plot_cases:
    input:
        lambda wildcards: paths.cases(figures.chosen_by[wildcards.test_set]),
    output:
        report(
            paths.figure("cases_{test_set}.png"),
            caption="../report/cases.rst",
            category="4 Figures",
            labels={"result": "cases, in-domain (Fig. 2)", "of": "{test_set}"},
        ),
    log:
        paths.log("plot_cases/{test_set}"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("plot_cases.py"),
        row=lambda wildcards: figures.chosen_by[wildcards.test_set],
        title=figures.case_title,
    script:
        "../scripts/plot_cases.py"


rule plot_comparison:
    input:
        [paths.cases(row) for row in figures.scored],
    output:
        report(
            paths.figure("comparison.png"),
            caption="../report/comparison.rst",
            category="4 Figures",
            labels={"result": "all rows (Fig. 3)", "of": "real lesions"},
        ),
    log:
        paths.log("plot_comparison"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("plot_comparison.py"),
        test_sets=figures.real_case_sets,
        labels=figures.labels_of(figures.scored),
    script:
        "../scripts/plot_comparison.py"


rule plot_synthetic:
    input:
        packed=paths.packed(needs.SYNTHETIC),
        healthy=paths.packed(PLAN.healthy),
        split=paths.split(needs.SYNTHETIC),
    output:
        report(
            paths.figure("synthetic.png"),
            caption="../report/synthetic.rst",
            category="4 Figures",
            labels={"result": "synthetic anomalies (Fig. 4)", "of": "draem"},
        ),
    log:
        paths.log("plot_synthetic"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("plot_synthetic.py"),
        fold=figures.fold,
    script:
        "../scripts/plot_synthetic.py"


rule weigh_maps:
    input:
        unpack(figures.weight_files),
    output:
        paths.weights("{row}", "{fold}"),
    log:
        paths.log("weigh_maps/{row}/fold-{fold}"),
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=120),
    params:
        row=plan.row_parameters,
        branches=lambda wildcards: figures.branches(wildcards.row),
        test_sets=PLAN.test_sets,
        seed=config["seed"],
        code=plan.row_code("weigh_maps.py"),
    script:
        "../scripts/weigh_maps.py"


rule plot_weights:
    input:
        weights=figures.weights(),
        test_splits=plan.splits(),
    output:
        figure=report(
            paths.figure("weights.svg"),
            caption="../report/weights.rst",
            category="4 Figures",
            labels={"result": "weight of the residual map (Fig. 5)", "of": "references"},
        ),
        table=paths.figure("beta.tsv"),
    log:
        paths.log("plot_weights"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("plot_weights.py"),
        rows=figures.weighted,
        ends=figures.ends,
        folds=PLAN.folds,
        test_sets=list(PLAN.test_sets),
    script:
        "../scripts/plot_weights.py"


rule plot_precision_recall:
    input:
        curves=[paths.metrics(row, figures.fold, "curve") for row in figures.curves],
        test_splits=plan.splits(),
    output:
        figure=report(
            paths.figure("precision_recall.svg"),
            caption="../report/precision_recall.rst",
            category="4 Figures",
            labels={"result": "precision and recall", "of": "references"},
        ),
        table=paths.figure("precision_recall.tsv"),
    log:
        paths.log("plot_precision_recall"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("plot_precision_recall.py"),
        labels=figures.labels_of(figures.curves),
        single=figures.single,
        fold=figures.fold,
        test_sets=list(PLAN.test_sets),
    script:
        "../scripts/plot_precision_recall.py"


rule plot_lesion_volume:
    input:
        metrics=plan.of_every_row(rows=figures.volume_rows()),
        test_splits=plan.splits(),
    output:
        report(
            paths.figure("lesion_volume.svg"),
            caption="../report/lesion_volume.rst",
            category="4 Figures",
            labels={"result": "Dice against lesion volume", "of": "references"},
        ),
    log:
        paths.log("plot_lesion_volume"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("plot_lesion_volume.py"),
        labels=figures.labels_of(figures.volume_rows()),
        rows=figures.by_volume,
        folds=PLAN.folds,
        test_sets=list(PLAN.test_sets),
    script:
        "../scripts/plot_lesion_volume.py"


rule tabulate_deviations:
    output:
        report(
            paths.table("departures.html"),
            caption="../report/departures.rst",
            category="5 Tables",
            labels={"result": "departures from paper and code"},
        ),
    log:
        paths.log("tabulate_deviations"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=500, runtime=5),
    params:
        **shown("tabulate_deviations.py", "departures.html.j2"),
        facts=digests.sha256(HOME / "workflow/resources/departures.tsv"),
        blocks={
            key: config[key]
            for key in (
                "datasets",
                "healthy",
                "preprocessing",
                "splits",
                "synthetic",
                "methods",
                "residual",
                "evaluation",
            )
        },
    script:
        "../scripts/tabulate_deviations.py"


rule figure_pages:
    input:
        [paths.figure(name) for name in figures.captions()],
    output:
        [paths.figure(f"{Path(name).stem}.html") for name in figures.captions()],
    log:
        paths.log("figure_pages"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("figure_pages.py", "figure_page.html.j2"),
        captions=figures.caption_texts,
    script:
        "../scripts/figure_pages.py"


rule figures:
    input:
        rules.figure_pages.output,
        rules.tabulate_deviations.output,
        paths.inventory_page,
        [paths.quality(dataset) for dataset in PLAN.cohort.registered],
        [paths.figure(f"cohort_{dataset}.png") for dataset in PLAN.datasets],
        figures.all(),
        paths.figure("splits.png"),
        paths.leaks(),
        [paths.figure("training.png")] if PLAN.learning else [],
        [paths.method_page(method) for method in PLAN.trained],


rule write_methods:
    output:
        report(
            paths.methods_text,
            caption="../report/methods_text.rst",
            category="3 Methods",
            labels={"method": "all captions as one text"},
        ),
    log:
        paths.log("write_methods"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=500, runtime=5),
    params:
        text=figures.methods_text,
        code=plan.code("write_methods.py"),
    script:
        "../scripts/write_methods.py"


rule record_provenance:
    input:
        inventories=[paths.inventory(dataset) for dataset in PLAN.datasets],
        others=plan.other_inputs,
        splits=plan.splits(PLAN.split_datasets),
        abouts=plan.of_models("about.json"),
        results=[paths.table(f"table{n}.csv") for n in (1, 2, 3)],
    output:
        paths.provenance,
    log:
        paths.log("record_provenance"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=20),
    params:
        config=config,
        datasets=PLAN.datasets,
        folders=list(filter(None, [PLAN.hd_bet_weights])),
        code_state=lambda wildcards: PLAN.all_code,
        code=plan.code("record_provenance.py"),
    script:
        "../scripts/record_provenance.py"


# Of everything else, so that it is written last.
rule front_page:
    input:
        rules.compare.output,
        rules.judge_claims.output if PLAN.claims else [],
        figures.whom(),
        figures.multiverse_page(),
        rules.figures.input,
        rules.detail_pages.output,
        rules.write_methods.output,
        rules.record_provenance.output,
    output:
        page=report(
            paths.front_page,
            caption="../report/overview.rst",
            category="0 Overview",
            labels={"result": "front page"},
        ),
        answer=paths.answer,
        costs=paths.table("costs.tsv"),
        crate=paths.crate,
    log:
        paths.log("front_page"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        run=run_facts,
        plan=lambda wildcards: costs(PLAN),
        code=plan.page_code("front_page.py", "front_page.html.j2"),
    script:
        "../scripts/front_page.py"
