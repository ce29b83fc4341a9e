"""What programs outside of the workflow need to make maps under its protocol."""


rule export_nnunet:
    input:
        packed=lambda wildcards: paths.packed(wildcards.dataset),
        split=paths.split("{dataset}"),
    output:
        directory(paths.nnunet("{number}", "{dataset}")),
    log:
        paths.log("export_nnunet/{number}_{dataset}"),
    wildcard_constraints:
        dataset="|".join(PLAN.exported),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=240),
    params:
        folds=PLAN.folds,
        spacing_mm=config["preprocessing"]["spacing_mm"],
        modality=config["modality"],
        code=plan.code("export.py"),
    script:
        "../scripts/export.py"


use rule export_nnunet as export_bids with:
    output:
        directory(paths.bids("{dataset}")),
    log:
        paths.log("export_bids/{dataset}"),
    wildcard_constraints:
        dataset="|".join(PLAN.exported),


rule export:
    input:
        [paths.nnunet(501 + i, name) for i, name in enumerate(PLAN.exported)],
        [paths.bids(name) for name in PLAN.exported],
