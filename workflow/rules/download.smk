"""What is public, into data/. Not part of `rule all`, and the only rule that uses the network."""

DOWNLOADS = downloads.read_items(HOME / "workflow/resources/downloads.yaml")
WANTED = downloads.wanted(DOWNLOADS, PLAN.places())


rule fetch:
    output:
        # update: what is known of a folder in place is kept when the rule runs again.
        record=update("data/downloads/{item}.json"),
    log:
        paths.log("fetch/{item}"),
    wildcard_constraints:
        item="|".join(DOWNLOADS),
    conda:
        "../../envs/download.yaml"
    threads: 1
    resources:
        **growing(mem_mb=500, runtime=600),
    params:
        item=lambda wildcards: DOWNLOADS[wildcards.item],
        lock="data/downloads.lock",
        code=plan.code("fetch.py"),
    script:
        "../scripts/fetch.py"


rule download:
    input:
        expand(rules.fetch.output.record, item=WANTED),
