"""What is there: every file of a data set read once, a page for the report, and `check`."""


rule inventory:
    input:
        files=cohort.native_files,
    output:
        paths.inventory("{dataset}"),
    log:
        paths.log("inventory/{dataset}"),
    wildcard_constraints:
        dataset="|".join(PLAN.datasets),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["infer"]
    resources:
        **growing(mem_mb=1000, runtime=60),
    params:
        known=cohort.known,
        counts=lambda wildcards: config["splits"][wildcards.dataset],
        modality=config["modality"],
        code=plan.dataset_code("take_inventory.py"),
    script:
        "../scripts/take_inventory.py"


rule tabulate_inventory:
    input:
        [paths.inventory(dataset) for dataset in PLAN.datasets],
    output:
        report(
            paths.inventory_page,
            caption="../report/inventory.rst",
            category="1 Data",
            labels={"result": "data sets", "of": "all"},
        ),
    log:
        paths.log("tabulate_inventory"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=500, runtime=5),
    params:
        **shown("tabulate_inventory.py", "inventory_page.html.j2"),
    script:
        "../scripts/tabulate_inventory.py"


# No output, so that it looks again every time.
rule check:
    input:
        [paths.inventory(dataset) for dataset in PLAN.datasets],
    log:
        paths.log("check"),
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        atlas=None if simulated else (cohort.atlas("head"), cohort.atlas("brain"), *ATLAS_GRID),
        weights=PLAN.hd_bet_weights,
        pretrained=settings.weight_files(config),
        accelerator=config["accelerator"],
        results=lambda wildcards: paths.root,
        levels=plan.levels(),
        n_folds=len(PLAN.folds),
        code=plan.code("check.py"),
    script:
        "../scripts/check.py"
