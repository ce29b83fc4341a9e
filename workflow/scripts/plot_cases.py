"""Rule plot_cases: input, reconstruction, maps and truth of three test subjects."""

import numpy as np

from uad import figures, logs, packed, splits

QUANTILES = (0.25, 0.5, 0.75)
TITLES = (
    "input", "reconstruction", "residual map", "prediction", "anomaly score", "ground truth",
)  # fmt: skip

with logs.job(snakemake.log[0]):
    inputs, fold = snakemake.input, snakemake.params.fold
    pack = packed.of_files(inputs.packed)
    order = splits.evaluated(packed.read_table(inputs.split), fold)
    dice = packed.read_table(inputs.metrics).query("test_set == @snakemake.wildcards.test_set")
    dice = dice.sort_values("dice_best").reset_index(drop=True)
    chosen = [dice.loc[round(q * (len(dice) - 1))] for q in QUANTILES]
    reconstruction, residual, prediction = (
        np.load(path, mmap_mode="r")
        for path in (inputs.reconstruction, inputs.residual, inputs.prediction)
    )
    figure, axes = figures.grid(len(chosen), len(TITLES), (1.7, 1.75))
    for panels, case in zip(axes, chosen):
        volume, i = pack.volume(case["subject"]), order.index(case["subject"])
        z = int(volume.lesion.sum(axis=(1, 2)).argmax())
        healthy = reconstruction[i][:, z].astype(np.float32).mean(axis=0)
        shown = (volume.image[z], healthy, residual[i, z], prediction[i, z])
        limits = (1, 1, 1, 1, 2, 1)
        pictures = [*shown, shown[2] + shown[3], volume.lesion[z]]
        for panel, picture, limit, title in zip(panels, pictures, limits, TITLES):
            cmap = "gray" if title in ("input", "reconstruction", "ground truth") else "inferno"
            figures.show(panel, picture, cmap=cmap, vmin=0, vmax=limit)
        figures.outline(panels[0], volume.lesion[z], figures.LESION)
        panels[0].set_ylabel(f"{case['subject']}\n[DICE] {case['dice_best']:.2f}")
    for panel, title in zip(axes[0], TITLES):
        panel.set_title(title)
    figures.heading(figure, snakemake.params.title, snakemake.params.simulated)
    figures.save(figure, snakemake.output[0])
