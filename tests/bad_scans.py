"""Scans that cannot be predicted: one of each kind, and what the sentence about it says."""

import gzip

import nibabel as nib
import numpy as np
import small_bundle
from scipy import ndimage

import phantoms


def _head():
    return small_bundle.anatomy()[0]


def _changed(change):
    """The voxels of a head, changed."""
    return lambda path: small_bundle.write_scan(path, change=change)


def _array(make):
    """An array in the place of a head."""
    return lambda path: phantoms.save(make(_head()), path)


def _placed(affine, sform=1, qform=0):
    """A head whose header says something else of its place."""

    def write(path):
        image = nib.Nifti1Image(_head(), phantoms.AFFINE)
        image.set_sform(affine, sform)
        image.header["qform_code"] = qform
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(image, path)

    return write


def _bytes(change):
    """The bytes of a good file, changed; `.nii.gz` if the name says so."""

    def write(path):
        small_bundle.write_scan(path)
        path.write_bytes(change(path.read_bytes()))

    return write


def _contradicting(path):
    image = nib.Nifti1Image(_head(), phantoms.AFFINE)
    mirrored = phantoms.AFFINE @ np.diag([-1, 1, 1, 1])
    image.set_sform(phantoms.AFFINE, 1)
    image.set_qform(mirrored, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def _half(image):
    return image * (np.arange(image.shape[2]) > 28)


def _cropped(path):
    """Nothing below the middle of the brain."""
    image = nib.load(small_bundle.write_scan(path))
    image = image.slicer[:, :, 25:]
    image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
    nib.save(image, path)


def _sheared():
    affine = phantoms.AFFINE.copy()
    affine[0, 1] = 2
    return affine


def _noise(head):
    return np.abs(np.random.default_rng(0).normal(0, 100, head.shape)).astype(np.float32)


def _ball(head):
    inside = phantoms.ellipsoid(head.shape, np.array(head.shape) / 2, (20, 20, 20))
    return (800 * inside + np.random.default_rng(0).normal(0, 10, head.shape)).astype(np.float32)


def _declares_more(data):
    """A header of a thousand times the voxels."""
    head = bytearray(data)
    head[42:48] = np.array([1500, 1500, 1500], "<i2").tobytes()
    return bytes(head)


def _colour(path):
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.ones(phantoms.SHAPE, kind), phantoms.AFFINE), path)


def _link(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("nowhere.nii.gz")


_REGISTRATION = "registration failed: |brain cut off: "
# Name of the file to what writes it, and sentences, of which one is said.
BAD = {
    "nothing.nii": (_bytes(lambda data: b""), "cannot be read as NIfTI"),
    "text.nii": (_bytes(lambda data: b"a letter\n" * 100), "cannot be read as NIfTI"),
    "cut.nii.gz": (_bytes(lambda data: data[: len(data) // 2]), "damaged or incomplete"),
    "packed.nii": (_bytes(gzip.compress), "is compressed with gzip, but its name"),
    "larger.nii": (_bytes(_declares_more), "the header says"),
    "series.nii.gz": (_array(lambda a: np.stack([a, a], -1)), "expected one 3-D volume"),
    "slice.nii.gz": (_array(lambda a: a[..., 20:21]), "found a single slice"),
    "blank.nii.gz": (_array(lambda a: 0 * a), "the image is blank"),
    "flat.nii.gz": (_array(lambda a: 0 * a + 7), "the image is blank"),
    "gaps.nii.gz": (_array(lambda a: np.where(a > 700, np.nan, a)), "NaN or infinite"),
    "infinite.nii.gz": (_array(lambda a: np.where(a > 700, np.inf, a)), "NaN or infinite"),
    "colour.nii.gz": (_colour, "colour (RGB)"),
    "complex.nii.gz": (_array(lambda a: a.astype(np.complex64)), "complex values"),
    "singular.nii.gz": (_placed(np.diag([-4.0, 0, 4, 1])), "singular"),
    "sheared.nii.gz": (_placed(_sheared()), "sheared"),
    "unknown.nii.gz": (_placed(phantoms.AFFINE, 0), "does not say how the scan is oriented"),
    "contradicting.nii.gz": (_contradicting, "contradicts itself"),
    "metres.nii.gz": (_placed(phantoms.AFFINE / 1000), "which is no head"),
    "stretched.nii.gz": (
        _placed(phantoms.AFFINE @ np.diag([1, 1, 1.8, 1])), "scaled by|similarity|brain mask",
    ),
    "inverted.nii.gz": (_changed(lambda a: np.where(a > 50, a.max() - a, 0)), _REGISTRATION),
    "cropped.nii.gz": (_cropped, _REGISTRATION),
    "half.nii.gz": (_changed(_half), f"{_REGISTRATION}|does not look T1-weighted|brain mask"),
    "noise.nii.gz": (_array(_noise), _REGISTRATION),
    "smooth.nii.gz": (
        _array(lambda a: ndimage.gaussian_filter(_noise(a), 4)), _REGISTRATION,
    ),
    "ball.nii.gz": (_array(_ball), f"{_REGISTRATION}|does not look T1-weighted"),
    "sub-01_T2w.nii.gz": (small_bundle.write_scan, "its name says T2"),
    "sub-02_ce-gad_T1w.nii.gz": (small_bundle.write_scan, "a contrast agent was given"),
    "br{a}ces.nii.gz": (small_bundle.write_scan, "braces"),
    "gone.nii.gz": (_link, "a link to nothing"),
}  # fmt: skip
# Of these only the name, or the lack of a file, is looked at, while the run is planned.
LEFT_OUT = ("br{a}ces.nii.gz", "gone.nii.gz")


def write(folder, names=BAD):
    """Write some of `BAD` into a folder."""
    for name in names:
        BAD[name][0](folder / name)
