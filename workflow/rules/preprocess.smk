"""Raw volumes to packed arrays: register, strip, N4, downsample, one job per subject; pack.

On a cluster the steps of a subject are one job (group `subject`), except registration, which is long,
and HD-BET, which wants a GPU. Registration is not in the group even without HD-BET: a job that needs
one step of a group and is needed by another would have to wait for itself. How many subjects a
cluster job takes is in `slurm/config.yaml`.

A subject whose own data are wrong is excluded: the step that finds it writes the reason in place of
its outputs, later steps pass it on (`uad.base.exclusion`), `pack` leaves the subject out. The rules
have priority over trainings, so that a run with too few subjects left ends before anything long.
"""


rule register_to_sri24:
    input:
        unpack(cohort.raw_files),
        atlas_head=cohort.atlas("head"),
        atlas_brain=cohort.atlas("brain"),
    output:
        image=temp(paths.of_subject("registered")),
        lesion=paths.of_subject("lesion"),
        transform=paths.of_subject("transform"),
        qc=paths.of_subject("registration"),
    log:
        paths.log("register_to_sri24/{dataset}/{subject}"),
    benchmark:
        paths.benchmark("register_to_sri24/{dataset}/{subject}")
    priority: 1
    group:
        "register"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=3000, runtime=15),
    params:
        settings=config["preprocessing"]["registration"],
        grid=ATLAS_GRID,
        stripped=plan.comes_stripped,
        lesion_labels=cohort.lesion_labels,
        assume_orientation=cohort.assume_orientation,
        seed=config["seed"],
        code=plan.code("register_to_sri24.py"),
    script:
        "../scripts/register_to_sri24.py"


rule strip_skull:
    input:
        image=rules.register_to_sri24.output.image,
        atlas_brain=cohort.atlas("brain"),
    output:
        mask=paths.of_subject("brain"),
    log:
        paths.log("strip_skull/{dataset}/{subject}"),
    wildcard_constraints:
        dataset=plan.extracted_by("atlas", "threshold"),
    priority: 1
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=10),
    params:
        how=lambda wildcards: PLAN.brain_masks[wildcards.dataset],
        code=plan.code("strip_skull.py"),
    script:
        "../scripts/strip_skull.py"


rule strip_skull_given:
    input:
        unpack(cohort.given_brain),
        image=rules.register_to_sri24.output.image,
        transform=rules.register_to_sri24.output.transform,
    output:
        mask=paths.of_subject("brain"),
    log:
        paths.log("strip_skull_given/{dataset}/{subject}"),
    wildcard_constraints:
        dataset=plan.extracted_by("given"),
    priority: 1
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=10),
    params:
        assume_orientation=cohort.assume_orientation,
        code=plan.code("carry_brain_mask.py"),
    script:
        "../scripts/carry_brain_mask.py"


rule strip_skull_hd_bet:
    input:
        image=rules.register_to_sri24.output.image,
    output:
        mask=paths.of_subject("brain"),
    log:
        paths.log("strip_skull_hd_bet/{dataset}/{subject}"),
    benchmark:
        paths.benchmark("strip_skull_hd_bet/{dataset}/{subject}")
    wildcard_constraints:
        dataset=plan.extracted_by("hd_bet"),
    priority: 1
    group:
        "hd_bet"
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


rule strip_skull_deepbet:
    input:
        image=rules.register_to_sri24.output.image,
    output:
        mask=paths.of_subject("brain"),
    log:
        paths.log("strip_skull_deepbet/{dataset}/{subject}"),
    benchmark:
        paths.benchmark("strip_skull_deepbet/{dataset}/{subject}")
    wildcard_constraints:
        dataset=plan.extracted_by("deepbet"),
    priority: 1
    group:
        "subject"
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


rule correct_bias:
    input:
        image=rules.register_to_sri24.output.image,
        mask=paths.of_subject("brain"),
        atlas_brain=cohort.atlas("brain"),
    output:
        image=paths.of_subject("image"),
        field=paths.of_subject("field"),
    log:
        paths.log("correct_bias/{dataset}/{subject}"),
    benchmark:
        paths.benchmark("correct_bias/{dataset}/{subject}")
    priority: 1
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=10),
    params:
        settings=config["preprocessing"]["bias_field"],
        stripped=plan.comes_stripped,
        code=plan.code("correct_bias.py"),
    script:
        "../scripts/correct_bias.py"


rule downsample:
    input:
        unpack(cohort.preprocessed_files),
    output:
        image=paths.of_subject("small_image"),
        brain=paths.of_subject("small_brain"),
        lesion=paths.of_subject("small_lesion"),
    log:
        paths.log("downsample/{dataset}/{subject}"),
    priority: 1
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=10),
    params:
        settings=PLAN.downsampling,
        assume_orientation=cohort.assume_orientation,
        prepared=lambda wildcards: cohort.layout(wildcards.dataset) == "prepared",
        code=plan.code("downsample.py"),
    script:
        "../scripts/downsample.py"


rule pack:
    input:
        image=cohort.of_every_subject("small_image"),
        brain=cohort.of_every_subject("small_brain"),
        lesion=cohort.of_every_subject("small_lesion"),
        qc=cohort.registration_quality,
        demographics=cohort.demographics,
    output:
        image=paths.packed_file("{dataset}", "image.npy"),
        brain=paths.packed_file("{dataset}", "brain.npy"),
        lesion=paths.packed_file("{dataset}", "lesion.npy"),
        subjects=paths.packed_file("{dataset}", "subjects.tsv"),
        excluded=paths.packed_file("{dataset}", "excluded.tsv"),
    log:
        paths.log("pack/{dataset}"),
    wildcard_constraints:
        dataset="|".join(PLAN.datasets),
    priority: 1
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        subjects=cohort.rows,
        left_out=cohort.not_usable,
        described_by=cohort.metadata_module,
        title=cohort.title_in_errors,
        code=plan.dataset_code("pack.py"),
    script:
        "../scripts/pack.py"


rule preprocess:
    input:
        [paths.packed(dataset) for dataset in PLAN.datasets],
        [paths.quality(dataset) for dataset in PLAN.cohort.registered],
