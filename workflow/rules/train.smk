"""One training job per model and fold, or the import of a checkpoint in its place."""


rule train_model:
    input:
        unpack(plan.training_data),
    output:
        model=paths.model("{model}", "{fold}"),
        history=paths.model("{model}", "{fold}", "history.tsv"),
        about=paths.model("{model}", "{fold}", "about.json"),
    log:
        paths.log("train_model/{model}/fold-{fold}"),
    benchmark:
        paths.benchmark("train_model/{model}/fold-{fold}")
    wildcard_constraints:
        model=PLAN.of_rule(),
    conda:
        plan.environment("../../envs/torch.yaml")
    threads: config["threads"]["train"]
    resources:
        **growing(
            mem_mb=of_training((16000, 32000), at_once=(8000, 16000)),
            runtime=of_training(720, at_once=120),
        ),
        gpu=gpus,
    params:
        block=plan.training_block,
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        save_minutes=plan.save_minutes,
        outside=plan.outside,
        synthetic=plan.synthetic,
        seed=config["seed"],
        code=plan.training_code,
    script:
        "../scripts/train_model.py"


# Pretraining (SparK) is a training like any other; a rule of its own shows it in the DAG.
use rule train_model as pretrain with:
    wildcard_constraints:
        model=PLAN.of_rule("pretrained"),


# Stage II as in the released code, where the frozen encoder is not quite frozen: what has become of
# the upstream model is stored too, and reconstructs for the rows of this one.
use rule train_model as train_drifting with:
    output:
        model=paths.model("{model}", "{fold}"),
        history=paths.model("{model}", "{fold}", "history.tsv"),
        about=paths.model("{model}", "{fold}", "about.json"),
        upstream=paths.model("{model}", "{fold}", "upstream.pt"),
    wildcard_constraints:
        model=PLAN.of_rule("drifting"),


rule import_checkpoint:
    input:
        checkpoint=plan.checkpoint,
    output:
        model=paths.model("{model}", "{fold}"),
        history=paths.model("{model}", "{fold}", "history.tsv"),
        about=paths.model("{model}", "{fold}", "about.json"),
    log:
        paths.log("import_checkpoint/{model}/fold-{fold}"),
    wildcard_constraints:
        model="|".join([PLAN.of_rule("imported"), PLAN.of_rule("pretrained", "imported")]),
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=10),
    params:
        block=plan.training_block,
        upstream=plan.drifted_block,
        code=plan.importing_code,
    script:
        "../scripts/import_checkpoint.py"


use rule import_checkpoint as import_drifting with:
    output:
        model=paths.model("{model}", "{fold}"),
        history=paths.model("{model}", "{fold}", "history.tsv"),
        about=paths.model("{model}", "{fold}", "about.json"),
        upstream=paths.model("{model}", "{fold}", "upstream.pt"),
    wildcard_constraints:
        model=PLAN.of_rule("drifting", "imported"),


rule train:
    input:
        plan.of_models("model.pt"),
