"""Simulated raw scans and atlas, in the place of real ones (`simulation` in the configuration)."""


rule simulate_atlas:
    output:
        phantom="<results>/atlas/phantom.npz",
        head="<results>/atlas/T1.nii",
        brain="<results>/atlas/T1_brain.nii",
    log:
        "<results>/logs/simulate_atlas.log",
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        code=code("simulate_atlas.py"),
    script:
        "../scripts/simulate_atlas.py"


rule simulate_ixi:
    input:
        phantom="<results>/atlas/phantom.npz",
    output:
        image="<results>/raw/ixi/{scan}-T1.nii.gz",
    log:
        "<results>/logs/simulate/ixi/{scan}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        dataset="ixi",
        seed=config["simulation"] and config["simulation"]["seed"],
        code=code("simulate_scan.py"),
    script:
        "../scripts/simulate_scan.py"


use rule simulate_ixi as simulate_brats21 with:
    output:
        image="<results>/raw/brats21/{scan}/{scan}_t1.nii.gz",
        lesion="<results>/raw/brats21/{scan}/{scan}_seg.nii.gz",
    log:
        "<results>/logs/simulate/brats21/{scan}.log",
    params:
        dataset="brats21",
        seed=config["simulation"] and config["simulation"]["seed"],
        code=code("simulate_scan.py"),


use rule simulate_ixi as simulate_atlas_v2 with:
    output:
        image="<results>/raw/atlas_v2/Training/{site}/{scan}/ses-1/anat/{scan}_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz",
        lesion="<results>/raw/atlas_v2/Training/{site}/{scan}/ses-1/anat/{scan}_ses-1_space-MNI152NLin2009aSym_label-L_desc-T1lesion_mask.nii.gz",
    log:
        "<results>/logs/simulate/atlas_v2/{site}/{scan}.log",
    params:
        dataset="atlas_v2",
        seed=config["simulation"] and config["simulation"]["seed"],
        code=code("simulate_scan.py"),


use rule simulate_ixi as simulate_mslub with:
    output:
        image="<results>/raw/mslub/{scan}/{scan}_T1W.nii.gz",
        lesion="<results>/raw/mslub/{scan}/{scan}_consensus_gt.nii.gz",
    log:
        "<results>/logs/simulate/mslub/{scan}.log",
    resources:
        mem_mb=growing(6000),
        runtime=growing(20),
    params:
        dataset="mslub",
        seed=config["simulation"] and config["simulation"]["seed"],
        code=code("simulate_scan.py"),


use rule simulate_ixi as simulate_wmh with:
    output:
        image="<results>/raw/wmh/{scan}/pre/T1.nii.gz",
        lesion="<results>/raw/wmh/{scan}/wmh.nii.gz",
    log:
        "<results>/logs/simulate/wmh/{scan}.log",
    params:
        dataset="wmh",
        seed=config["simulation"] and config["simulation"]["seed"],
        code=code("simulate_scan.py"),


rule simulate_demographics:
    output:
        "<results>/raw/ixi/IXI.xls",
    log:
        "<results>/logs/simulate/demographics.log",
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        simulation=config["simulation"],
        code=code("simulate_demographics.py"),
    script:
        "../scripts/simulate_demographics.py"
