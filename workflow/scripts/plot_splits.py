"""Rule plot_splits: subjects per role and fold of every data set, and ages per role of IXI."""

from uad.base import colours, logs, tsv
from uad.data import splits
from uad.report import canvas

with logs.job(snakemake.log[0]):
    datasets = snakemake.params.datasets
    figure, axes = canvas.grid(1, len(datasets) + 1, (2.5, 2.9))
    tables = {}
    for panel, name, path in zip(axes[0], datasets, snakemake.input.splits):
        split = tables[name] = tsv.read(path)
        splits.check(split)
        counts = split.groupby(["fold", "role"]).size().unstack(fill_value=0)
        bottom = 0
        for role, colour in zip(splits.ROLES, colours.COLOURS):
            if role in counts:
                bars = panel.bar(
                    counts.index, counts[role], bottom=bottom, color=colour, label=role
                )
                panel.bar_label(bars, label_type="center", color="white")
                bottom = bottom + counts[role]
        panel.set(title=name, xlabel="fold", xticks=counts.index)
    axes[0, 0].set_ylabel("subjects")
    axes[0, 0].legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.2), ncols=3)
    panel = axes[0, -1]
    ages = tsv.read(snakemake.input.ages).set_index("subject")["age"]
    for position, (role, colour) in enumerate(zip(splits.ROLES, colours.COLOURS)):
        split = tables["ixi"]
        chosen = split.loc[split["role"] == role, "subject"].drop_duplicates()
        values = ages.reindex(chosen).dropna()
        panel.plot([position] * len(values), values, "o", color=colour, alpha=0.5, markersize=4)
    panel.set(
        title="ixi: age", xticks=range(3), xticklabels=splits.ROLES, ylabel="years", ylim=(0, 100)
    )
    panel.set_xlim(-0.5, 2.5)
    canvas.heading(figure, "Splits", snakemake.params.simulated)
    canvas.save(figure, snakemake.output[0])
