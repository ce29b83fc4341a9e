"""A row's models in one file that holds nothing of a patient, to predict with and to hand on."""

from uad.plan.prediction import Bundling, Prediction

bundling = planned(Bundling(PLAN))
if "predict" in sys.argv and not config["predict"]:
    raise WorkflowError(
        "snakemake predict needs --config 'predict={scans: FOLDER, bundle: FILE, out: FOLDER}' "
        "(docs/predict.md)"
    )


rule seal_bundle:
    input:
        unpack(bundling.files),
    output:
        paths.bundle("{row}"),
    log:
        paths.log("seal_bundle/{row}"),
    wildcard_constraints:
        row="|".join(bundling.rows) or "none",
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=20),
    params:
        manifest=bundling.manifest,
        data=bundling.data,
        test_sets=list(PLAN.test_sets),
        scoring_code=bundling.scoring_code,
        code=plan.code("seal_bundle.py"),
    script:
        "../scripts/seal_bundle.py"


rule bundle:
    input:
        bundling.wanted,
