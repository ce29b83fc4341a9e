"""Raw volumes to packed arrays: register, strip, N4, downsample, one job per subject; pack.

On a cluster the steps of a subject are one job (group `subject`), except registration, which is long,
and HD-BET, which wants a GPU. Registration is not in the group even without HD-BET: a job that needs
one step of a group and is needed by another would have to wait for itself. How many subjects a
cluster job takes is in `slurm/config.yaml`.
"""

BRAIN_MASK = "<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_space-SRI24_desc-brain_mask.nii.gz"


rule register_to_sri24:
    input:
        unpack(raw_files),
        atlas_head=atlas_file("head"),
        atlas_brain=atlas_file("brain"),
    output:
        image=temp(
            "<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_space-SRI24_desc-registered_<weighted>.nii"
        ),
        lesion="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_space-SRI24_label-lesion_mask.nii.gz",
        transform="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_from-native_to-SRI24_mode-image_xfm.txt",
        qc="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_desc-registration_qc.json",
    log:
        "<results>/logs/register_to_sri24/{dataset}/{subject}.log",
    benchmark:
        "<results>/benchmarks/register_to_sri24/{dataset}/{subject}.tsv"
    group:
        "register"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(15),
    params:
        settings=config["preprocessing"]["registration"],
        grid=(config["atlas"]["shape"], config["atlas"]["spacing_mm"]),
        stripped=lambda wildcards: BRAIN_MASKS[wildcards.dataset] == "threshold",
        lesion_labels=lambda wildcards: datasets.load(wildcards.dataset).LESION_LABELS,
        seed=config["seed"],
        code=code("register_to_sri24.py"),
    script:
        "../scripts/register_to_sri24.py"


rule strip_skull:
    input:
        image=rules.register_to_sri24.output.image,
        atlas_brain=atlas_file("brain"),
    output:
        mask=BRAIN_MASK,
    log:
        "<results>/logs/strip_skull/{dataset}/{subject}.log",
    wildcard_constraints:
        dataset="|".join(d for d, how in BRAIN_MASKS.items() if how != "hd_bet") or "none",
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        how=lambda wildcards: BRAIN_MASKS[wildcards.dataset],
        code=code("strip_skull.py"),
    script:
        "../scripts/strip_skull.py"


rule strip_skull_hd_bet:
    input:
        image=rules.register_to_sri24.output.image,
    output:
        mask=BRAIN_MASK,
    log:
        "<results>/logs/strip_skull_hd_bet/{dataset}/{subject}.log",
    benchmark:
        "<results>/benchmarks/strip_skull_hd_bet/{dataset}/{subject}.tsv"
    wildcard_constraints:
        dataset="|".join(d for d, how in BRAIN_MASKS.items() if how == "hd_bet") or "none",
    group:
        "hd_bet"
    conda:
        "../../envs/skullstrip.yaml"
    threads: config["threads"]["infer"]
    resources:
        gpu=gpus,
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        program=hd_bet_program,
        weights=config["hd_bet"]["weights"],
        accelerator=config["accelerator"],
        local_gpus=local_gpus,
        code=code("strip_skull_hd_bet.py"),
    shell:
        "{params.program} --image {input.image:q} --mask {output.mask:q} --weights {params.weights:q}"
        " --accelerator {params.accelerator} --local-gpus {params.local_gpus} --threads {threads}"
        " --log {log:q}"


rule correct_bias:
    input:
        image=rules.register_to_sri24.output.image,
        mask=BRAIN_MASK,
    output:
        image="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_space-SRI24_desc-preproc_<weighted>.nii.gz",
        field="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_desc-biasfield_qc.json",
    log:
        "<results>/logs/correct_bias/{dataset}/{subject}.log",
    benchmark:
        "<results>/benchmarks/correct_bias/{dataset}/{subject}.tsv"
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings=config["preprocessing"]["bias_field"],
        code=code("correct_bias.py"),
    script:
        "../scripts/correct_bias.py"


rule downsample:
    input:
        unpack(preprocessed_files),
    output:
        image="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_space-SRI24_res-<resolution>_desc-preproc_<weighted>.nii.gz",
        brain="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_space-SRI24_res-<resolution>_desc-brain_mask.nii.gz",
        lesion="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_space-SRI24_res-<resolution>_label-lesion_mask.nii.gz",
    log:
        "<results>/logs/downsample/{dataset}/{subject}.log",
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings={
            key: config["preprocessing"][key]
            for key in ("smoothing", "crop", "percentiles", "spacing_mm")
        },
        code=code("downsample.py"),
    script:
        "../scripts/downsample.py"


rule pack:
    input:
        image=of_every_subject("space-SRI24_res-{resolution}_desc-preproc_{weighted}.nii.gz"),
        brain=of_every_subject("space-SRI24_res-{resolution}_desc-brain_mask.nii.gz"),
        lesion=of_every_subject("space-SRI24_res-{resolution}_label-lesion_mask.nii.gz"),
        qc=registration_quality,
        demographics=demographics,
    output:
        image="<results>/packed/{dataset}/image.npy",
        brain="<results>/packed/{dataset}/brain.npy",
        lesion="<results>/packed/{dataset}/lesion.npy",
        subjects="<results>/packed/{dataset}/subjects.tsv",
        excluded="<results>/packed/{dataset}/excluded.tsv",
    log:
        "<results>/logs/pack/{dataset}.log",
    wildcard_constraints:
        dataset="|".join(config["datasets"]),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        subjects=lambda wildcards: list(subjects_of(wildcards.dataset).values()),
        left_out=lambda wildcards: LISTINGS[wildcards.dataset].left_out,
        code=lambda wildcards: code("pack.py", f"uad.data.datasets.{wildcards.dataset}"),
    script:
        "../scripts/pack.py"


rule preprocess:
    input:
        [packed(dataset) for dataset in config["datasets"]],
        [f"{ROOT}/qc/{dataset}.html" for dataset in REGISTERED],
