"""Subjects to folds, the leak report, and the data sets made of healthy ones: all of several in one,
and the synthetic test set that follows their folds."""


rule make_splits:
    input:
        subjects=paths.packed_file("{dataset}", "subjects.tsv"),
        excluded=paths.packed_file("{dataset}", "excluded.tsv"),
        lists=lambda wildcards: cohort.split_lists(wildcards.dataset),
    output:
        split=paths.split("{dataset}"),
    log:
        paths.log("make_splits/{dataset}"),
    wildcard_constraints:
        dataset="|".join(PLAN.datasets),
    priority: 1
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=500, runtime=5),
    params:
        scheme=cohort.split_scheme,
        stratum=cohort.stratum,
        title=cohort.title_in_errors,
        purge_leakage=PLAN.released_lists.get("purge_leakage", False),
        counts=cohort.role_counts,
        folds=config["splits"]["folds"],
        needed=cohort.needed_folds,
        seed=config["seed"],
        code=plan.code("make_splits.py"),
    script:
        "../scripts/make_splits.py"


rule audit_splits:
    input:
        splits=plan.splits(PLAN.datasets),
        inventories=[paths.inventory(dataset) for dataset in PLAN.datasets],
        lists=lambda wildcards: cohort.all_split_lists(),
    output:
        table=paths.leaks("tsv"),
        html=report(
            paths.leaks(),
            caption="../report/audit.rst",
            category="1 Data",
            labels={"result": "leak report", "of": "all"},
        ),
    log:
        paths.log("audit_splits"),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=500, runtime=5),
    params:
        **shown("audit_splits.py", "leak_page.html.j2"),
        datasets=PLAN.datasets,
        folds=config["splits"]["folds"],
        needed=cohort.needed_folds,
        released=PLAN.released_lists.get("folder"),
        # Cohorts of one's own are in no released list.
        listed=[name for name in PLAN.datasets if not PLAN.cohort.is_own(name)],
    script:
        "../scripts/audit_splits.py"


# Several healthy data sets are one to all that train and test on it.
rule pool_healthy:
    input:
        packed=[path for name in config["healthy"] for path in paths.packed(name)],
        subjects=[paths.packed_file(name, "subjects.tsv") for name in config["healthy"]],
        splits=plan.splits(config["healthy"]),
    output:
        image=paths.packed_file(needs.POOLED, "image.npy"),
        brain=paths.packed_file(needs.POOLED, "brain.npy"),
        lesion=paths.packed_file(needs.POOLED, "lesion.npy"),
        subjects=paths.packed_file(needs.POOLED, "subjects.tsv"),
        split=paths.split(needs.POOLED),
    log:
        paths.log("pool_healthy"),
    priority: 1
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        datasets=config["healthy"],
        code=plan.code("pool_healthy.py"),
    script:
        "../scripts/pool_healthy.py"


rule synthesize:
    input:
        image=paths.packed_file(PLAN.healthy, "image.npy"),
        others=paths.packed(PLAN.healthy),
        split=paths.split(PLAN.healthy),
    output:
        image=paths.packed_file(needs.SYNTHETIC, "image.npy"),
        brain=paths.packed_file(needs.SYNTHETIC, "brain.npy"),
        lesion=paths.packed_file(needs.SYNTHETIC, "lesion.npy"),
        subjects=paths.packed_file(needs.SYNTHETIC, "subjects.tsv"),
        split=paths.split(needs.SYNTHETIC),
    log:
        paths.log("synthesize"),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=30),
    params:
        seed=config["seed"],
        settings=plan.anomalies(),
        code=plan.code("synthesize.py"),
    script:
        "../scripts/synthesize.py"
