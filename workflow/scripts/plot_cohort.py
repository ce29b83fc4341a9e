"""Rule plot_cohort: some subjects of a data set from native scan to what the networks see."""

from uad.base import colours, logs
from uad.data import packed
from uad.imaging import volumes
from uad.report import canvas

with logs.job(snakemake.log[0]):
    inputs, subjects = snakemake.input, snakemake.params.subjects
    pack = packed.of_files(inputs.packed)
    figure, axes = canvas.grid(len(subjects), 7, (1.55, 1.7))
    for line, subject in enumerate(subjects):
        native = volumes.read(inputs.native[line])
        preprocessed = volumes.read(inputs.preprocessed[line])
        mask = volumes.read(inputs.masks[line], "uint8")
        panels = axes[line]
        for panel, (plane, aspect) in zip(panels[:3], canvas.middle_planes(native)):
            canvas.show(panel, plane, aspect, vmin=0, vmax=canvas.robust_maximum(native.array))
        planes = zip(canvas.middle_planes(preprocessed), canvas.middle_planes(mask))
        for panel, ((plane, aspect), (outline, _)) in zip(panels[3:6], planes):
            canvas.show(panel, plane, aspect, vmin=0, vmax=plane.max())
            canvas.outline(panel, outline > 0, colours.BRAIN)
        if subject in set(pack.subjects["subject"]):
            volume = pack.volume(subject)
            z = int(volume.lesion.sum(axis=(1, 2)).argmax()) or len(volume.image) // 2
            canvas.show(panels[6], volume.image[z], vmin=0, vmax=1)
            canvas.outline(panels[6], volume.lesion[z], colours.LESION)
        else:
            panels[6].set_axis_off()
            panels[6].text(0.5, 0.5, "excluded", ha="center", va="center")
        panels[0].set_ylabel(subject)
    has_lesions = pack.subjects["lesion_ml"].sum() > 0
    last = "packed, lesion slice" if has_lesions else "packed"
    titles = ["native, axial", "coronal", "sagittal", "preprocessed", "", "", last]
    for panel, title in zip(axes[0], titles):
        panel.set_title(title)
    canvas.heading(figure, snakemake.params.title, snakemake.params.simulated)
    canvas.save(figure, snakemake.output[0])
