"""Quality of the preprocessing: numbers and a picture per subject, a page per data set."""


rule measure_quality:
    input:
        image=rules.correct_bias.output.image,
        brain=BRAIN_MASK,
        lesion=rules.register_to_sri24.output.lesion,
        atlas_brain=atlas_file("brain"),
        registration=rules.register_to_sri24.output.qc,
        field=rules.correct_bias.output.field,
    output:
        numbers="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_desc-quality_qc.json",
        picture="<results>/preprocessed/{dataset}/sub-{subject}/sub-{subject}_desc-quality_qc.jpg",
    log:
        "<results>/logs/measure_quality/{dataset}/{subject}.log",
    group:
        "subject"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=code("measure_quality.py"),
    script:
        "../scripts/measure_quality.py"


rule quality_page:
    input:
        numbers=of_every_subject("desc-quality_qc.json"),
        pictures=of_every_subject("desc-quality_qc.jpg"),
        excluded="<results>/packed/{dataset}/excluded.tsv",
    output:
        page=report(
            "<results>/qc/{dataset}.html",
            caption="../report/quality.rst",
            category="1 Data",
            labels={"result": "quality", "of": "{dataset}"},
        ),
        table="<results>/qc/{dataset}.tsv",
    log:
        "<results>/logs/quality_page/{dataset}.log",
    wildcard_constraints:
        dataset="|".join(config["datasets"]),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        title=lambda wildcards: datasets.load(wildcards.dataset).TITLE,
        simulated=bool(SIMULATION),
        code=code("quality_page.py"),
    script:
        "../scripts/quality_page.py"
