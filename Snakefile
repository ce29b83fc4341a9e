"""SADM (Behrendt et al., MIDL 2024) from raw volumes to Table 1. See README.md."""

from snakemake.utils import min_version

min_version("9.0")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/preprocess.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/patients.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/whom.smk"
include: "workflow/rules/multiverse.smk"
include: "workflow/rules/bundle.smk"
include: "workflow/rules/share.smk"


if config["planted"]:

    include: "workflow/rules/planted.smk"


if config["predict"]:

    include: "workflow/rules/predict.smk"

    localrules:
        predict,


localrules:
    all,
    check,
    download,
    estimate,
    export,
    fetch,
    preprocess,
    train,
    table1,
    figures,
    bundle,
    share,
    multiverse,


rule all:
    default_target: True
    input:
        rules.table1.input,
        rules.figures.input,
        figures.whom(),
        figures.multiverse_page(),
        rules.front_page.output,


onsuccess:
    host.cancel_timers()
    say_answer()
    end_check()


onerror:
    host.cancel_timers()
    write_failed_page()
