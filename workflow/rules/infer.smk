"""Reconstructions, computed once per model, fold and data set, and anomaly maps of networks."""


rule reconstruct:
    input:
        packed=lambda wildcards: paths.packed(wildcards.dataset),
        split=paths.split("{dataset}"),
        model=plan.reconstructing_model,
    output:
        paths.reconstruction("{model}", "{fold}", "{dataset}"),
    log:
        paths.log("reconstruct/{model}/fold-{fold}/{dataset}"),
    benchmark:
        paths.benchmark("reconstruct/{model}/fold-{fold}/{dataset}")
    conda:
        plan.environment("../../envs/torch.yaml")
    threads: config["threads"]["infer"]
    resources:
        **growing(mem_mb=8000, runtime=600),
        gpu=gpus,
    params:
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        outside=plan.outside,
        with_training=lambda wildcards: plan.tuned_on_training(wildcards.dataset),
        seed=config["seed"],
        test=plan.reconstructing_block,
        code=plan.reconstructing_code,
    script:
        "../scripts/reconstruct.py"


# What a model's own reconstructions leave is computed where it is used: it takes less time than to
# store it.
rule score:
    input:
        unpack(plan.test_packs),
        splits=plan.splits(),
        model=paths.model("{model}", "{fold}"),
        reconstructions=plan.upstream_reconstructions,
    output:
        [
            path if config["keep_maps"] else temp(path)
            for path in plan.anomaly_maps("{model}", "{fold}")
        ],
    log:
        paths.log("score/{model}/fold-{fold}"),
    benchmark:
        paths.benchmark("score/{model}/fold-{fold}")
    wildcard_constraints:
        model="|".join(name for name in PLAN.models if name not in PLAN.reconstructing) or "none",
    conda:
        plan.environment("../../envs/torch.yaml")
    threads: config["threads"]["infer"]
    resources:
        **growing(mem_mb=8000, runtime=600),
        gpu=gpus,
    params:
        datasets=PLAN.test_datasets,
        with_training=[plan.tuned_on_training(dataset) for dataset in PLAN.test_datasets],
        test=plan.test_block,
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        outside=plan.outside,
        code=plan.model_code("score.py"),
    script:
        "../scripts/score.py"


# Maps made elsewhere take the place of a network's.
rule import_maps:
    input:
        unpack(plan.test_packs),
        splits=plan.splits(),
        maps=external.maps,
        ways=external.way_files,
    output:
        maps=[
            path if config["keep_maps"] else temp(path)
            for path in plan.anomaly_maps("{external}", "{fold}")
        ],
        remarks=paths.remarks("{external}", "{fold}"),
    log:
        paths.log("import_maps/{external}/fold-{fold}"),
    benchmark:
        paths.benchmark("import_maps/{external}/fold-{fold}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=240),
    params:
        datasets=PLAN.test_datasets,
        with_training=[plan.tuned_on_training(dataset) for dataset in PLAN.test_datasets],
        found=external.found,
        ways=external.ways,
        prepared=external.prepared(),
        settings=PLAN.downsampling,
        code=plan.code("import_maps.py"),
    script:
        "../scripts/import_maps.py"
