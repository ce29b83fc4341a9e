"""Rule plant_lesions: healthy test scans with lesions of known place, size and contrast."""

from pathlib import Path

from uad.base import logs, settings, tsv
from uad.data import packed
from uad.simulation import planted
from uad.simulation.settings import Planted

with logs.job(snakemake.log[0]) as log:
    inputs, params = snakemake.input, snakemake.params
    healthy = packed.of_files(inputs.packed)
    folds, seed = params.folds, params.seed
    block = settings.build(Planted, params.settings, "planted")
    subjects = planted.sources(tsv.read(inputs.split), folds, block.subjects, seed)
    scans = planted.Scans(healthy, subjects, params.spacing_mm, params.modality, block, seed)
    folder, n = Path(snakemake.output.lesions).parent, len(scans.table)
    packed.write(folder, scans.table, scans.contents(), n, healthy.image.shape[1:])
    tsv.write(scans.lesions, snakemake.output.lesions, sealed=True)
    tsv.write(planted.split_of(scans.table, folds), snakemake.output.split, sealed=True)
    log.info("%d lesions in %d scans of %d subjects", len(scans.lesions), n, len(subjects))
