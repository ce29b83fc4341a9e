"""What is there: every file of a data set read once, a page for the report, and `check`.

Files from the future are no input of `inventory`, which is to name them: Snakemake would end it.
"""


rule inventory:
    input:
        files=cohort.native_files_of_the_past,
    output:
        line=paths.inventory("{dataset}"),
        # update: scans whose files are as they were are not read again.
        scans=update(paths.inventory("{dataset}", "scans.json")),
    log:
        paths.log("inventory/{dataset}"),
    wildcard_constraints:
        dataset="|".join(PLAN.datasets),
    conda:
        "../../envs/imaging.yaml"
    threads: 16  # processes; fewer where there are fewer cores
    resources:
        **growing(mem_mb=6000, runtime=60),
    params:
        archive=cohort.archive,
        known=cohort.known,
        cases=cohort.cases,
        lesion_labels=cohort.lesion_labels,
        assume_orientation=cohort.assume_orientation,
        counts=lambda wildcards: config["splits"][wildcards.dataset],
        code=plan.code("take_inventory.py"),
    script:
        "../scripts/take_inventory.py"


rule tabulate_inventory:
    input:
        inventories=[paths.inventory(dataset) for dataset in PLAN.datasets],
        atlas=[] if simulated else [cohort.atlas("head"), cohort.atlas("brain")],
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
        **growing(mem_mb=1500, runtime=5),
    params:
        **shown("tabulate_inventory.py", "inventory_page.html.j2"),
        grid=ATLAS_GRID,
    script:
        "../scripts/tabulate_inventory.py"


# No output, so that it looks again every time. It fails only as a part of another workflow; here the
# run ends with its verdict, without what Snakemake says of jobs that fail.
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
        pretrained=needs.weight_files(config),
        given=PLAN.places(),
        fetched=[item["to"] for item in WANTED.values()],
        accelerator=config["accelerator"],
        results=lambda wildcards: paths.root,
        levels=plan.levels(),
        n_folds=len(PLAN.folds),
        hooks=HOOKS,
        code=plan.code("check.py"),
    script:
        "../scripts/check.py"


# No output, for the same reason. It plans the run as Snakemake would, beside a run that is under way too.
rule estimate:
    log:
        paths.log("estimate"),
    conda:
        "../../envs/torch.yaml"
    threads: 16
    resources:
        **growing(mem_mb=(16000, 32000), runtime=60),
    params:
        config=config,
        counts=plan.role_counts(),
        learned_from={model: needs.training_datasets(model, config) for model in PLAN.models},
        test_datasets=PLAN.test_datasets,
        shape=plan.volume_shape,
        outside=plan.every_outside,
        cores=lambda wildcards, threads: threads,
        python=lambda wildcards, threads: sys.executable,  # which has Snakemake, also with conda
        snakefile=workflow.main_snakefile,
        configfiles=workflow.overwrite_configfiles,
        overwrite=lambda wildcards: workflow.config_settings.overwrite_config,
        shipped=plan.resource("workflow/resources/seconds.tsv"),
        code=plan.code("estimate.py"),
    script:
        "../scripts/estimate.py"
