"""Reconstructions, computed once per model, fold and data set, and anomaly maps."""


rule reconstruct:
    input:
        packed=lambda wildcards: packed(wildcards.dataset),
        split="<results>/splits/{dataset}.tsv",
        model="<results>/models/{model}/fold-{fold}/model.pt",
    output:
        "<results>/reconstructions/{model}/fold-{fold}/{dataset}/reconstruction.npy",
    log:
        "<results>/logs/reconstruct/{model}/fold-{fold}/{dataset}.log",
    benchmark:
        "<results>/benchmarks/reconstruct/{model}/fold-{fold}/{dataset}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["infer"]
    resources:
        gpu=gpus,
        mem_mb=growing(8000),
        runtime=growing(600),
    params:
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        with_training=lambda wildcards: tuned_on_training(wildcards.dataset),
        seed=config["seed"],
        test=test_block,
        code=model_code("reconstruct.py"),
    script:
        "../scripts/reconstruct.py"


rule score:
    input:
        unpack(test_packs),
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in TEST_DATASETS],
        model="<results>/models/{model}/fold-{fold}/model.pt",
        reconstructions=reconstructions,
    output:
        [path if config["keep_maps"] else temp(path) for path in anomaly_maps("{model}", "{fold}")],
    log:
        "<results>/logs/score/{model}/fold-{fold}.log",
    benchmark:
        "<results>/benchmarks/score/{model}/fold-{fold}.tsv"
    wildcard_constraints:
        model="|".join(name for name in MODELS if name not in RECONSTRUCTING) or "none",
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["infer"]
    resources:
        gpu=gpus,
        mem_mb=growing(8000),
        runtime=growing(600),
    params:
        datasets=TEST_DATASETS,
        with_training=[tuned_on_training(dataset) for dataset in TEST_DATASETS],
        residual=config["residual"],
        test=test_block,
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        code=model_code("score.py"),
    script:
        "../scripts/score.py"


# What a model's own reconstructions leave is measured without its network, so without a GPU.
use rule score as score_residuals with:
    wildcard_constraints:
        model="|".join(RECONSTRUCTING) or "none",
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(600),
    params:
        datasets=TEST_DATASETS,
        with_training=[tuned_on_training(dataset) for dataset in TEST_DATASETS],
        residual=config["residual"],
        test=test_block,
        accelerator="cpu",
        local_gpus=local_gpus,
        code=model_code("score.py"),
