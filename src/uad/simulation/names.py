"""Names, ages and sexes of simulated subjects, in the data sets' native form.

Known before any file exists, from the number of subjects and the seed alone, so that the workflow
can plan with them. Standard library only.
"""

import random

SITES = {
    "ixi": ("Guys", "HH", "IOP"),
    "atlas_v2": ("001", "009", "031", "052"),
    "wmh": ("Utrecht", "Singapore", "Amsterdam/GE3T"),
}
# Most subjects that the names allow; the keys are the data sets that are simulated.
MOST = {"ixi": 999, "brats21": 49999, "atlas_v2": 999, "mslub": 49, "wmh": 999}


def scans(dataset: str, n: int, seed: int) -> list[str]:
    """Native scan names of `n` simulated subjects.

    Parameters
    ----------
    dataset : str
    n : int
    seed : int

    Returns
    -------
    list of str
        Such as ``IXI012-Guys-0735``, ``BraTS2021_00003``, ``sub-r009s004`` or ``Utrecht/7``.
    """
    rng = random.Random(f"{seed} {dataset}")
    names = []
    number = 0
    for i in range(1, n + 1):
        number += rng.randint(1, 2) if n <= 300 else 1
        site = rng.choice(SITES.get(dataset, ("",)))
        names.append(
            {
                "ixi": f"IXI{number:03d}-{site}-{rng.randint(300, 1999):04d}",
                "brats21": f"BraTS2021_{number:05d}",
                "atlas_v2": f"sub-r{site}s{i:03d}",
                "mslub": f"patient{number:02d}",
                "wmh": f"{site}/{number}",
            }[dataset]
        )
    return names


def age(scan: str, seed: int) -> float:
    """Age in years of a simulated subject, 20 to 86 as in IXI."""
    return round(random.Random(f"{seed} age {scan}").uniform(20, 86), 2)


def sex(scan: str, seed: int) -> int:
    """Sex of a simulated subject as IXI has it, 1 or 2; nothing in the scan depends on it."""
    return random.Random(f"{seed} sex {scan}").randint(1, 2)


def files(dataset: str, scan: str, site: str | None = None) -> list[str]:
    """Native paths of a scan in its data set's folder: the image, then the lesion mask.

    `site` is the folder of ATLAS v2 that the scan is in, by default the one in its name.
    """
    if dataset == "ixi":
        return [f"{scan}-T1.nii.gz"]
    if dataset == "brats21":
        return [f"{scan}/{scan}_t1.nii.gz", f"{scan}/{scan}_seg.nii.gz"]
    if dataset == "mslub":
        return [f"{scan}/{scan}_T1W.nii.gz", f"{scan}/{scan}_consensus_gt.nii.gz"]
    if dataset == "wmh":
        return [f"{scan}/pre/T1.nii.gz", f"{scan}/wmh.nii.gz"]
    folder = f"Training/{site or 'R' + scan[5:8]}/{scan}/ses-1/anat"
    stem = f"{folder}/{scan}_ses-1_space-MNI152NLin2009aSym"
    return [f"{stem}_T1w.nii.gz", f"{stem}_label-L_desc-T1lesion_mask.nii.gz"]
