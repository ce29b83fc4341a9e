"""Rule pool_patients: training and validation patients of several data sets as one."""

from pathlib import Path

from uad.base import logs, tsv
from uad.data import inventory, leakage, packed, patients
from uad.report import joined

with logs.job(snakemake.log[0]) as log:
    inputs, names = snakemake.input, snakemake.params.datasets
    lines = dict(zip(names, map(joined.record, inputs.inventories)))
    same = leakage.Same(inventory.twins(lines, "image"))
    tables = {name: tsv.read(path) for name, path in zip(names, inputs.splits)}
    packs = {name: packed.Pack(Path(path).parent) for name, path in zip(names, inputs.images)}
    split = patients.split(tables, snakemake.params.folds, same)
    found = patients.table(packs, split)
    shape = next(iter(packs.values())).image.shape[1:]
    packed.write(
        Path(snakemake.output.packed[0]).parent,
        found,
        patients.contents(packs, found),
        len(found),
        shape,
    )
    tsv.write(split, snakemake.output.split, sealed=True)
    log.info("%d patients of %s", len(found), ", ".join(names))
