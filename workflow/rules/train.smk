"""One training job per model and fold."""


rule train_model:
    input:
        unpack(training_data),
    output:
        model="<results>/models/{model}/fold-{fold}/model.pt",
        history="<results>/models/{model}/fold-{fold}/history.tsv",
        about="<results>/models/{model}/fold-{fold}/about.json",
    log:
        "<results>/logs/train_model/{model}/fold-{fold}.log",
    benchmark:
        "<results>/benchmarks/train_model/{model}/fold-{fold}.tsv"
    wildcard_constraints:
        model="|".join(name for name in MODELS if name not in PRETRAINED) or "none",
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["train"]
    resources:
        gpu=gpus,
        mem_mb=growing(16000, on_cpu=32000),
        runtime=growing(720),
    params:
        block=training_block,
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        seed=config["seed"],
        save_minutes=save_minutes,
        code=training_code,
    script:
        "../scripts/train_model.py"


# Pretraining (SparK) is a training like any other; a rule of its own shows it in the DAG.
use rule train_model as pretrain with:
    wildcard_constraints:
        model="|".join(PRETRAINED) or "none",


rule train:
    input:
        [
            path
            for model in MODELS
            for path in of_every_fold(f"models/{model}/fold-{{fold}}/model.pt")
        ],
