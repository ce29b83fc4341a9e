"""Whom the rows fail (docs/whom.md): groups of test subjects, rates on healthy ones."""


rule locate_lesions:
    input:
        lambda wildcards: paths.packed(wildcards.dataset),
    output:
        paths.places("{dataset}"),
    log:
        paths.log("locate_lesions/{dataset}"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=30),
    params:
        spacing_mm=config["preprocessing"]["spacing_mm"],
        code=plan.code("locate_lesions.py"),
    script:
        "../scripts/locate_lesions.py"


# Reads anomaly maps, which are deleted after their last use: on from the start of a run it costs a
# pass over them, later it makes networks score again.
rule calibrate:
    input:
        unpack(plan.row_files),
        pooled=paths.metrics("{row}", "{fold}", "pooled"),
    output:
        rates=paths.calibration("{row}", "{fold}", "rates"),
        bins=paths.calibration("{row}", "{fold}", "bins"),
    log:
        paths.log("calibrate/{row}/fold-{fold}"),
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=120),
    params:
        row=plan.row_parameters,
        is_probability=figures.is_probability,
        datasets=PLAN.test_datasets,
        test_sets=PLAN.test_sets,
        healthy=PLAN.healthy,
        seed=config["seed"],
        code=plan.row_code("calibrate.py"),
    script:
        "../scripts/calibrate.py"


rule whom:
    input:
        metrics=plan.of_every_row(),
        healthy=plan.of_every_row("healthy"),
        validation=plan.of_every_row("validation"),
        known=[paths.packed_file(name, "subjects.tsv") for name in PLAN.test_datasets],
        places=[paths.places(name) for name in PLAN.test_datasets],
        demographics=figures.demographics(),
        test_splits=plan.splits(),
        rates=figures.calibrated("rates"),
        bins=figures.calibrated("bins"),
    output:
        page=report(
            paths.table("whom.html"),
            caption="../report/whom.rst",
            category="5 Tables",
            labels={"result": "Whom the rows fail"},
        ),
        effects=paths.table("whom.tsv"),
        grouping=paths.table("whom_groups.tsv"),
    log:
        paths.log("whom"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        **shown("whom.py", "whom.html.j2"),
        rows=config["rows"],
        folds=PLAN.folds,
        test_sets=list(PLAN.test_sets),
        fewest=config["table"]["strata"],
        seed=config["seed"],
    script:
        "../scripts/whom.py"
