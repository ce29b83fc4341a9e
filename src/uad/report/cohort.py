"""Picture of a data set: some subjects from native scan to what the networks see.

Apart from `pictures`, which needs no reader of NIfTI files.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uad.base import colours
from uad.base.errors import InputError
from uad.data.packed import Pack, PackedVolume
from uad.imaging import volumes
from uad.imaging.volumes import Volume
from uad.report import canvas

TITLES = ["native, axial", "coronal", "sagittal", "preprocessed", "", ""]


def cohort(
    subjects: Sequence[str],
    native: Sequence[str | Path],
    preprocessed: Sequence[str | Path],
    masks: Sequence[str | Path],
    pack: Pack,
    assume_orientation: str | None = None,
) -> Figure:
    """A line per subject: native scan, preprocessed image with its brain mask, packed slice.

    Parameters
    ----------
    subjects : list of str
    native, preprocessed, masks : list of path-like
        Scan, bias-corrected image and brain mask of each subject.
    pack : Pack
        Subjects that are not in it are shown as excluded, with what can be read of their files.
    assume_orientation : str, optional
        Of scans, see `volumes.read`.
    """
    figure, axes = canvas.grid(len(subjects), 7, (1.55, 1.7))
    packed = set(pack.subjects["subject"])
    for panels, subject, *paths in zip(axes, subjects, native, preprocessed, masks):
        panels[0].set_ylabel(subject)
        with _unless(subject not in packed):
            _show_native(panels[:3], volumes.read(paths[0], assume_orientation=assume_orientation))
        with _unless(subject not in packed):
            image, mask = volumes.read(paths[1]), volumes.read(paths[2], "uint8")
            _show_preprocessed(panels[3:6], image, mask)
        _show_packed(panels[6], pack.volume(subject) if subject in packed else None)
    has_lesions = pack.subjects["lesion_ml"].sum() > 0
    last = "packed, lesion slice" if has_lesions else "packed"
    for panel, title in zip(axes[0], [*TITLES, last]):
        panel.set_title(title)
    return figure


def _unless(excluded: bool) -> AbstractContextManager:
    """Panels of an excluded subject stay empty where its files cannot be read."""
    return suppress(InputError) if excluded else nullcontext()


def _show_native(panels: np.ndarray, scan: Volume) -> None:
    for panel, (plane, aspect) in zip(panels, canvas.middle_planes(scan)):
        canvas.show(panel, plane, aspect, vmin=0, vmax=canvas.robust_maximum(scan.array))


def _show_preprocessed(panels: np.ndarray, image: Volume, mask: Volume) -> None:
    planes = zip(canvas.middle_planes(image), canvas.middle_planes(mask))
    for panel, ((plane, aspect), (outline, _)) in zip(panels, planes):
        canvas.show(panel, plane, aspect, vmin=0, vmax=plane.max())
        canvas.outline(panel, outline > 0, colours.BRAIN)


def _show_packed(panel: Axes, volume: PackedVolume | None) -> None:
    """The slice with the largest lesion, or the middle one."""
    if volume is None:
        panel.set_axis_off()
        panel.text(0.5, 0.5, "excluded", ha="center", va="center")
        return
    z = int(volume.lesion.sum(axis=(1, 2)).argmax()) or len(volume.image) // 2
    canvas.show(panel, volume.image[z], vmin=0, vmax=1)
    canvas.outline(panel, volume.lesion[z], colours.LESION)
