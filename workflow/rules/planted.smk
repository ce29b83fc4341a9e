"""Lesions planted into healthy test scans: which ones each row sees (`planted`)."""


rule plant_lesions:
    input:
        packed=paths.packed(PLAN.healthy),
        split=paths.split(PLAN.healthy),
    output:
        packed=paths.packed("planted"),
        lesions=paths.planted_lesions,
        split=paths.split("planted"),
    log:
        paths.log("plant_lesions"),
    benchmark:
        paths.benchmark("plant_lesions")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=60),
    params:
        seed=config["seed"],
        folds=PLAN.folds,
        modality=config["modality"],
        spacing_mm=config["preprocessing"]["spacing_mm"],
        settings=planted.settings,
        code=plan.code("plant_lesions.py"),
    script:
        "../scripts/plant_lesions.py"


# As of any data set, but with the noise of the scans as they were; deleted after their last use.
use rule reconstruct as reconstruct_planted with:
    input:
        packed=paths.packed("planted"),
        split=paths.split("planted"),
        model=plan.reconstructing_model,
        original=paths.packed(PLAN.healthy),
    output:
        temp(paths.reconstruction("{model}", "{fold}", "planted")),
    log:
        paths.log("reconstruct/{model}/fold-{fold}/planted"),
    benchmark:
        paths.benchmark("reconstruct/{model}/fold-{fold}/planted")
    params:
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        outside=plan.outside,
        with_training=False,
        seed=config["seed"],
        test=plan.reconstructing_block,
        code=plan.reconstructing_code,


use rule score as score_planted with:
    input:
        planted=paths.packed("planted"),
        splits=[paths.split("planted")],
        model=paths.model("{model}", "{fold}"),
        reconstructions=planted.upstream_reconstructions,
    output:
        temp(paths.anomaly_map("{model}", "{fold}", "planted")),
    log:
        paths.log("score/{model}/fold-{fold}/planted"),
    benchmark:
        paths.benchmark("score/{model}/fold-{fold}/planted")
    params:
        datasets=["planted"],
        with_training=[False],
        test=plan.test_block,
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        outside=plan.outside,
        code=plan.model_code("score.py"),


rule find_planted:
    input:
        unpack(planted.scored_files),
    output:
        paths.detected("{row}", "{fold}"),
    log:
        paths.log("find_planted/{row}/fold-{fold}"),
    benchmark:
        paths.benchmark("find_planted/{row}/fold-{fold}")
    wildcard_constraints:
        row="|".join(planted.rows),
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=240),
    params:
        row=plan.row_parameters,
        test_set=planted.test_set,
        threshold=planted.threshold,
        seed=config["seed"],
        code=plan.row_code("find_planted.py"),
    script:
        "../scripts/find_planted.py"


rule detection_limits:
    input:
        lesions=paths.planted_lesions,
        detected=planted.of_every_row(),
    output:
        page=report(
            paths.table("detection_limits.html"),
            caption="../report/detection_limits.rst",
            category="5 Tables",
            labels={"result": "detection limits"},
        ),
        figure=report(
            paths.figure("detection_limits.svg"),
            caption="../report/detection_limits.rst",
            category="4 Figures",
            labels={"result": "detection limits", "of": "references"},
        ),
        curves=paths.table("detection.tsv"),
        limits=paths.table("detection_limits.tsv"),
    log:
        paths.log("detection_limits"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=20),
    params:
        **shown("detection_limits.py", "detection_page.html.j2"),
        rows=planted.labels(),
        folds=PLAN.folds,
        first=planted.first(),
        threshold=planted.threshold,
    script:
        "../scripts/detection_limits.py"
