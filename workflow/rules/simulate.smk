"""Simulated raw scans and atlas, in the place of real ones (`simulation` in the configuration)."""


rule simulate_atlas:
    output:
        phantom=paths.atlas("phantom.npz"),
        head=paths.atlas(f"{config['modality']}.nii"),
        brain=paths.atlas(f"{config['modality']}_brain.nii"),
    log:
        paths.log("simulate_atlas"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=10),
    params:
        contrast=config["modality"],
        code=plan.code("simulate_atlas.py"),
    script:
        "../scripts/simulate_atlas.py"


rule simulate_ixi:
    input:
        phantom=paths.atlas("phantom.npz"),
    output:
        **cohort.simulated_files("ixi"),
    log:
        paths.log("simulate/ixi/{scan}"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=10),
    params:
        dataset="ixi",
        contrast=config["modality"],
        seed=config["simulation"] and config["simulation"]["seed"],
        code=plan.code("simulate_scan.py", "uad.simulation.counterparts.ixi"),
    script:
        "../scripts/simulate_scan.py"


use rule simulate_ixi as simulate_brats21 with:
    output:
        **cohort.simulated_files("brats21"),
    log:
        paths.log("simulate/brats21/{scan}"),
    params:
        dataset="brats21",
        contrast=config["modality"],
        seed=config["simulation"] and config["simulation"]["seed"],
        code=plan.code("simulate_scan.py", "uad.simulation.counterparts.brats21"),


use rule simulate_ixi as simulate_atlas_v2 with:
    output:
        **cohort.simulated_files("atlas_v2"),
    log:
        paths.log("simulate/atlas_v2/{site}/{scan}"),
    params:
        dataset="atlas_v2",
        contrast=config["modality"],
        seed=config["simulation"] and config["simulation"]["seed"],
        code=plan.code("simulate_scan.py", "uad.simulation.counterparts.atlas_v2"),


use rule simulate_ixi as simulate_mslub with:
    output:
        **cohort.simulated_files("mslub"),
    log:
        paths.log("simulate/mslub/{scan}"),
    resources:
        **growing(mem_mb=6000, runtime=20),
    params:
        dataset="mslub",
        contrast=config["modality"],
        seed=config["simulation"] and config["simulation"]["seed"],
        code=plan.code("simulate_scan.py", "uad.simulation.counterparts.mslub"),


use rule simulate_ixi as simulate_wmh with:
    output:
        **cohort.simulated_files("wmh"),
    log:
        paths.log("simulate/wmh/{scan}"),
    params:
        dataset="wmh",
        contrast=config["modality"],
        seed=config["simulation"] and config["simulation"]["seed"],
        code=plan.code("simulate_scan.py", "uad.simulation.counterparts.wmh"),


rule simulate_demographics:
    output:
        paths.ages,
    log:
        paths.log("simulate/demographics"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=500, runtime=5),
    params:
        n=config["simulation"] and config["simulation"]["subjects"].get("ixi"),
        seed=config["simulation"] and config["simulation"]["seed"],
        code=plan.code("simulate_demographics.py", "uad.simulation.counterparts.ixi"),
    script:
        "../scripts/simulate_demographics.py"
