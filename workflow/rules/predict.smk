"""From scans that a user names to maps on these scans (`snakemake predict`, docs/predict.md).

The steps are those of the workflow. A scan that cannot be scored gets a reason instead of a map
(`uad.base.exclusion`); the others are done all the same. Later steps come first, so that one scan is
finished after the other.
"""

prediction = planned(planned(Prediction)(PLAN))
if workflow.is_main_process:
    prediction.check()


rule register_scan:
    input:
        scan=prediction.scan,
        bundle=prediction.bundle,
        atlas_head=cohort.atlas("head"),
        atlas_brain=cohort.atlas("brain"),
    output:
        image=temp(prediction.work("registered.nii")),
        transform=temp(prediction.work("transform.txt")),
        quality=temp(prediction.work("registration.json")),
    log:
        prediction.log("register_scan/{scan}"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=3000, runtime=15),
    params:
        how=prediction.brain_mask,
        code=plan.code("register_scan.py"),
    script:
        "../scripts/register_scan.py"


rule strip_scan_hd_bet:
    input:
        image=rules.register_scan.output.image,
    output:
        mask=temp(prediction.work("hd_bet.nii.gz")),
    log:
        prediction.log("strip_scan_hd_bet/{scan}"),
    priority: 1
    conda:
        "../../envs/skullstrip.yaml"
    threads: config["threads"]["infer"]
    resources:
        **growing(mem_mb=8000, runtime=60),
        gpu=gpus,
    params:
        program=plan.stripping_program("hd_bet", IN_CONDA),
        weights=config["hd_bet"]["weights"],
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        code=plan.code("strip_skull_hd_bet.py"),
    shell:
        "{params.program} --image {input.image:q} --mask {output.mask:q} --weights {params.weights:q}"
        " --accelerator {params.accelerator} --local-gpus {params.local_gpus} --threads {threads}"
        " --log {log:q}"


rule strip_scan_deepbet:
    input:
        image=rules.register_scan.output.image,
    output:
        mask=temp(prediction.work("deepbet.nii.gz")),
    log:
        prediction.log("strip_scan_deepbet/{scan}"),
    priority: 1
    conda:
        "../../envs/deepbet.yaml"
    threads: 1
    resources:
        **growing(mem_mb=3000, runtime=10),
    params:
        program=plan.stripping_program("deepbet", IN_CONDA),
        code=plan.code("strip_skull_deepbet.py"),
    shell:
        "{params.program} --image {input.image:q} --mask {output.mask:q} --threads {threads}"
        " --log {log:q}"


rule prepare_scan:
    input:
        image=rules.register_scan.output.image,
        mask=prediction.brain,
        bundle=prediction.bundle,
        atlas_brain=cohort.atlas("brain"),
    output:
        prepared=temp(prediction.work("prepared.npz")),
        quality=temp(prediction.work("quality.json")),
    log:
        prediction.log("prepare_scan/{scan}"),
    priority: 2
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=3000, runtime=15),
    params:
        how=prediction.brain_mask,
        code=plan.code("prepare_scan.py"),
    script:
        "../scripts/prepare_scan.py"


rule score_scan:
    input:
        prepared=rules.prepare_scan.output.prepared,
        bundle=prediction.bundle,
    output:
        temp(prediction.work("scored.npz")),
    log:
        prediction.log("score_scan/{scan}"),
    priority: 3
    conda:
        "../../envs/torch.yaml"
    threads: prediction.manifest["threads"]
    resources:
        **growing(mem_mb=8000, runtime=60),
        gpu=gpus,
    params:
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        code=plan.methods_code("score_scan.py", prediction.manifest["models"]),
    script:
        "../scripts/score_scan.py"


# Of a scan that is refused there are no maps, so what is promised is only the record, which is written
# last, and the page.
rule write_prediction:
    input:
        scan=prediction.scan,
        bundle=prediction.bundle,
        transform=rules.register_scan.output.transform,
        registration=rules.register_scan.output.quality,
        prepared=rules.prepare_scan.output.prepared,
        quality=rules.prepare_scan.output.quality,
        scored=rules.score_scan.output[0],
    output:
        record=prediction.file("prediction.json"),
        page=prediction.file("prediction.html"),
    log:
        prediction.log("write_prediction/{scan}"),
    priority: 4
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=15),
    params:
        code=plan.page_code("write_prediction.py", "scan_page.html.j2"),
    script:
        "../scripts/write_prediction.py"


rule summarise_predictions:
    input:
        bundle=prediction.bundle,
        records=prediction.of_every_scan("prediction.json"),
        pages=prediction.of_every_scan("prediction.html"),
    output:
        page=prediction.summary("html"),
        table=prediction.summary("tsv"),
        description=prediction.file("description.json", "dataset"),
    log:
        prediction.log("summarise_predictions"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        left_out=prediction.left_out,
        code=plan.page_code("summarise_predictions.py", "predictions.html.j2"),
    script:
        "../scripts/summarise_predictions.py"


rule predict:
    input:
        rules.summarise_predictions.output,
