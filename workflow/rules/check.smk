"""What is there: every file of a data set read once, a page for the report, and `check`."""


rule inventory:
    input:
        files=native_files,
    output:
        "<results>/inventory/{dataset}.json",
    log:
        "<results>/logs/inventory/{dataset}.log",
    wildcard_constraints:
        dataset="|".join(config["datasets"]),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["infer"]
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        known=known_of,
        counts=lambda wildcards: config["splits"][wildcards.dataset],
        modality=config["modality"],
        code=lambda wildcards: code("take_inventory.py", f"uad.data.datasets.{wildcards.dataset}"),
    script:
        "../scripts/take_inventory.py"


rule tabulate_inventory:
    input:
        [f"{ROOT}/inventory/{dataset}.json" for dataset in config["datasets"]],
    output:
        report(
            "<results>/inventory/datasets.html",
            caption="../report/inventory.rst",
            category="1 Data",
            labels={"result": "data sets", "of": "all"},
        ),
    log:
        "<results>/logs/tabulate_inventory.log",
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        simulated=bool(SIMULATION),
        code=code("tabulate_inventory.py"),
    script:
        "../scripts/tabulate_inventory.py"


# No output, so that it looks again every time.
rule check:
    input:
        [f"{ROOT}/inventory/{dataset}.json" for dataset in config["datasets"]],
    log:
        "<results>/logs/check.log",
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        atlas=None if SIMULATION else ATLAS,
        weights=config["hd_bet"]["weights"] if "hd_bet" in BRAIN_MASKS.values() else None,
        pretrained=uad_config.weight_files(config),
        accelerator=config["accelerator"],
        results=lambda wildcards: ROOT,
        levels=[
            len(config["methods"][uad_config.method(model)].get("test_levels", [1]))
            for model in MODELS
            if config["methods"][uad_config.method(model)]["reconstructs"]
        ],
        n_folds=len(config["folds"]),
        code=code("check.py"),
    script:
        "../scripts/check.py"
