"""Training and validation patients of all test sets as one data set, for a supervised bound."""


rule pool_patients:
    input:
        images=[paths.packed_file(dataset, "image.npy") for dataset in PLAN.patients],
        packed=[path for dataset in PLAN.patients for path in paths.packed(dataset)],
        splits=plan.splits(PLAN.patients),
        inventories=[paths.inventory(dataset) for dataset in PLAN.patients],
    output:
        packed=paths.packed(needs.PATIENTS),
        split=paths.split(needs.PATIENTS),
    log:
        paths.log("pool_patients"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        datasets=PLAN.patients,
        folds=PLAN.folds,
        code=plan.code("pool_patients.py"),
    script:
        "../scripts/pool_patients.py"
