"""Rule find_planted: which planted lesions one row of the table sees in one fold."""

from uad.base import logs, tsv
from uad.data import packed
from uad.evaluation import planted, scores
from uad.evaluation.controls import CONTROLS

with logs.job(snakemake.log[0]) as log:
    inputs, params = snakemake.input, snakemake.params
    row, fold = params.row, int(snakemake.wildcards.fold)
    if row["reconstructing"]:
        from uad.base import devices  # needs torch

        devices.set_up_cpu(snakemake.threads)
    stored = scores.stored(inputs, ["planted"], row["networks"], row["reconstructing"])["planted"]
    tuned_on = scores.Stored(params.test_set, list(inputs.tuned_packed), inputs.tuned_split)
    controls = [name for name in row["maps"] if name in CONTROLS]
    tuned = scores.RowScore(controls, scores.Cohort(tuned_on, fold), {}, params.seed)
    score = scores.RowScore(
        row["maps"], scores.Cohort(stored, fold), row["residual"], params.seed, tuned.controls
    )
    lines = tsv.read(inputs.thresholds).set_index("test_set")
    threshold = float(lines.loc[params.test_set, params.threshold])
    found = planted.measure(
        score, packed.of_files(stored.packed), tsv.read(inputs.lesions), threshold
    )
    found.insert(0, "row", snakemake.wildcards.row)
    found.insert(1, "fold", fold)
    tsv.write(found, snakemake.output[0], sealed=True)
    log.info("%d of %d lesions detected", found["detected"].sum(), len(found))
