"""Rule detail_pages: a page per row, a table of subjects per test set, pages of chosen subjects."""

from pathlib import Path

from uad.base import logs, tsv
from uad.base.paths import PACKED
from uad.data import packed
from uad.evaluation.map_pictures import Kept
from uad.report import chosen, details, joined, row_page, subject_page, subjects_page

with logs.job(snakemake.log[0]) as log:
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    run = details.Run(
        params.rows,
        params.test_sets,
        params.fold,
        params.folds,
        params.simulated,
        params.registered,
    )
    tested = joined.Tested(inputs.test_splits, params.test_sets, params.folds)
    metrics = joined.metrics(inputs.metrics, params.rows, params.folds, tested)
    pooled = joined.metrics(inputs.pooled, params.rows, params.folds, tested, "pooled")
    per_subject = chosen.means(metrics)
    flagged = {}
    for name, path in zip(params.registered, inputs.quality, strict=True):
        remarks = tsv.read(path).set_index("subject")["remarks"].dropna()
        flagged[name] = {subject: str(remark) for subject, remark in remarks.items()}
    linked = chosen.choose(per_subject, run.scored, flagged)
    kept = {row: Kept(path) for row, path in zip(run.scored, inputs.maps, strict=True)}
    n = len(PACKED)
    packs = {
        name: packed.of_files(inputs.packed[position * n : (position + 1) * n])
        for position, name in enumerate(params.test_sets)
    }
    for name, page, folder in zip(params.test_sets, outputs.sets, outputs.subjects, strict=True):
        log.info("%s: %d subjects get a page", name, len(linked[name]))
        subjects_page.write(page, run, name, per_subject, linked[name])
        subject_page.write(folder, run, name, per_subject, linked[name], kept, packs[name], metrics)
    learnt = joined.histories(inputs.histories, params.epochs, params.folds)
    for row, page in zip(params.rows, outputs.rows, strict=True):
        models = params.models[row]
        row_page.write(
            page,
            run,
            row,
            per_subject,
            pooled,
            linked,
            kept.get(row),
            packs,
            {model: learnt[model] for model in models if model in learnt},
            models,
            Path(page).parents[1],
        )
