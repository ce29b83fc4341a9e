"""Rule pool_patients: training and validation patients of several data sets as one."""

from pathlib import Path

from uad.base import logs, tsv
from uad.data import inventory, leakage, packed, pooling
from uad.report import joined

with logs.job(snakemake.log[0]) as log:
    inputs, names = snakemake.input, snakemake.params.datasets
    lines = dict(zip(names, map(joined.record, inputs.inventories)))
    same = leakage.Same(inventory.twins(lines, "image"))
    tables = {name: tsv.read(path) for name, path in zip(names, inputs.splits)}
    packs = {name: packed.Pack(Path(path).parent) for name, path in zip(names, inputs.images)}
    split = pooling.split(tables, snakemake.params.folds, same)
    patients = pooling.table(packs, split)
    shape = next(iter(packs.values())).image.shape[1:]
    packed.write(
        Path(snakemake.output.packed[0]).parent,
        patients,
        pooling.contents(packs, patients),
        len(patients),
        shape,
    )
    tsv.write(split, snakemake.output.split, sealed=True)
    log.info("%d patients of %s", len(patients), ", ".join(names))
