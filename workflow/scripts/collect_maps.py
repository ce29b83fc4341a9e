"""Rule collect_maps: pictures of one row's anomaly maps of every test subject of one fold."""

from uad.base import logs
from uad.evaluation import map_pictures, scored_maps, scores

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    row, test_sets = params.row, params.test_sets
    if row["reconstructing"]:
        from uad.base import devices  # needs torch

        devices.set_up_cpu(snakemake.threads)
    stored = scores.stored(inputs, list(test_sets.values()), row["networks"], row["reconstructing"])
    cohorts = {n: scores.Cohort(stored[of], params.fold) for n, of in test_sets.items()}
    # The reconstruction is shown with the row that has nothing else.
    alone = row["reconstructing"] if row["maps"] == row["reconstructing"] else []
    kept = scored_maps.collect(
        row["maps"], cohorts, row["residual"], params.seed, *(alone if len(alone) == 1 else [])
    )
    map_pictures.write(kept, snakemake.output[0])
