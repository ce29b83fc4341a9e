"""Quality of the preprocessing: numbers and a picture per subject, a page per data set."""


rule measure_quality:
    input:
        image=rules.correct_bias.output.image,
        brain=paths.of_subject("brain"),
        lesion=rules.register_to_sri24.output.lesion,
        atlas_brain=cohort.atlas("brain"),
        registration=rules.register_to_sri24.output.qc,
        field=rules.correct_bias.output.field,
    output:
        numbers=paths.of_subject("quality"),
        picture=paths.of_subject("picture"),
    log:
        paths.log("measure_quality/{dataset}/{subject}"),
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=10),
    params:
        brain_mask=lambda wildcards: PLAN.brain_masks[wildcards.dataset],
        code=plan.code("measure_quality.py"),
    script:
        "../scripts/measure_quality.py"


rule quality_page:
    input:
        numbers=cohort.of_every_subject("quality"),
        pictures=cohort.of_every_subject("picture"),
        excluded=paths.packed_file("{dataset}", "excluded.tsv"),
        packed=paths.packed_file("{dataset}", "subjects.tsv"),
    output:
        page=report(
            paths.quality("{dataset}"),
            caption="../report/quality.rst",
            category="1 Data",
            labels={"result": "quality", "of": "{dataset}"},
        ),
        table=paths.quality("{dataset}", "tsv"),
    log:
        paths.log("quality_page/{dataset}"),
    wildcard_constraints:
        dataset="|".join(PLAN.datasets),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        **shown("quality_page.py", "quality_page.html.j2"),
        title=cohort.title,
    script:
        "../scripts/quality_page.py"
