"""Subjects to folds, the leak report, and the synthetic test set that follows IXI's folds."""


rule make_splits:
    input:
        subjects="<results>/packed/{dataset}/subjects.tsv",
        lists=lambda wildcards: split_lists(wildcards.dataset),
    output:
        split="<results>/splits/{dataset}.tsv",
    log:
        "<results>/logs/make_splits/{dataset}.log",
    wildcard_constraints:
        dataset="|".join(config["datasets"]),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        scheme=lambda wildcards: (
            config["splits"]["scheme"] if split_lists(wildcards.dataset) else "clean"
        ),
        purge_leakage=RELEASED.get("purge_leakage", False),
        counts=lambda wildcards: config["splits"][wildcards.dataset],
        folds=config["splits"]["folds"],
        seed=config["seed"],
        code=lambda wildcards: code("make_splits.py", f"uad.data.datasets.{wildcards.dataset}"),
    script:
        "../scripts/make_splits.py"


rule audit_splits:
    input:
        splits=[f"{ROOT}/splits/{dataset}.tsv" for dataset in config["datasets"]],
        lists=lambda wildcards: [
            path for dataset in config["datasets"] for path in split_lists(dataset)
        ],
    output:
        table="<results>/splits/audit.tsv",
        html=report(
            "<results>/splits/audit.html",
            caption="../report/audit.rst",
            category="1 Data",
            labels={"result": "leak report", "of": "all"},
        ),
    log:
        "<results>/logs/audit_splits.log",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        datasets=list(config["datasets"]),
        folds=config["splits"]["folds"],
        released=RELEASED.get("folder"),
        simulated=bool(SIMULATION),
        code=code("audit_splits.py"),
    script:
        "../scripts/audit_splits.py"


rule synthesize:
    input:
        image="<results>/packed/ixi/image.npy",
        others=packed("ixi"),
        split="<results>/splits/ixi.tsv",
    output:
        image="<results>/packed/draem/image.npy",
        brain="<results>/packed/draem/brain.npy",
        lesion="<results>/packed/draem/lesion.npy",
        subjects="<results>/packed/draem/subjects.tsv",
        split="<results>/splits/draem.tsv",
    log:
        "<results>/logs/synthesize.log",
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        seed=config["seed"],
        code=code("synthesize.py"),
    script:
        "../scripts/synthesize.py"
