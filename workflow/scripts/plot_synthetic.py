"""Rule plot_synthetic: synthetic anomalies of the test set and their masks (paper Fig. 4)."""

from uad import cases, figures, logs, packed, pictures, splits

with logs.job(snakemake.log[0]):
    pack = packed.of_files(snakemake.input.packed)
    split = packed.read_table(snakemake.input.split)
    subjects = splits.subjects(split, snakemake.params.fold, "test")
    figure = pictures.synthetic(cases.synthetic(pack, subjects))
    figures.heading(figure, "Synthetic anomalies of DRAEM", snakemake.params.simulated)
    figures.save(figure, snakemake.output[0])
