"""Rule synthesize: the synthetic (DRAEM) test set from IXI's test and validation volumes."""

from pathlib import Path

from uad import logs, packed, splits, synthesis

with logs.job(snakemake.log[0]) as log:
    healthy = packed.Pack(Path(snakemake.input.image).parent)
    split = splits.of_synthetic(packed.read_table(snakemake.input.split))
    table, volumes = synthesis.synthetic_set(healthy, set(split["subject"]), snakemake.params.seed)
    folder = Path(snakemake.output.subjects).parent
    packed.write(folder, table, volumes, len(table), healthy.image.shape[1:])
    packed.write_table(split, snakemake.output.split)
    log.info("%d synthetic volumes", len(table))
