"""BraTS 2021: gliomas, T1-weighted image and tumour segmentation.

Native layout: per case ``BraTS2021_#####/BraTS2021_#####_{t1,seg}.nii.gz``, skull-stripped, 1 mm,
on the SRI24 grid.
"""

TITLE = "BraTS21"
LICENCE = "challenge terms, no redistribution"
SOURCE = "https://www.synapse.org/brats2021"
CITATION = "Baid et al. 2021, arXiv:2107.02314"
EXAMPLE = "BraTS2021_00000/BraTS2021_00000_t1.nii.gz"

SUBJECT = r"(?:.*/)?BraTS2021_(?P<id>\d{5})_t1\.nii(?:\.gz)?"
STRATUM = None


def label(match):
    """BIDS label of a subject."""
    return f"BraTS{match['id']}"


def lesion(image):
    """Tumour segmentation beside the image (labels 1, 2, 4)."""
    return image.replace("_t1.nii", "_seg.nii")


def metadata(subjects, demographics):
    """Nothing is known of the subjects beyond their images."""
    import pandas as pd

    return pd.DataFrame(index=range(len(subjects)))
