"""Names, ages and sexes of simulated subjects, in the data sets' native form.

Known before any file exists, from the number of subjects and the seed alone, so that the workflow
can plan with them. Standard library only.
"""

import random
from types import ModuleType

from uad.base import modules
from uad.simulation import counterparts


def known() -> list[str]:
    """Data sets that are simulated."""
    return modules.names(counterparts.__path__)


def load(dataset: str) -> ModuleType:
    """The simulated counterpart of a data set."""
    return modules.load(counterparts.__name__, dataset, "simulated data set")


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
    module = load(dataset)
    names = []
    number = 0
    for i in range(1, n + 1):
        number += rng.randint(1, 2) if n <= 300 else 1
        names.append(module.scan(i, number, rng.choice(module.SITES), rng.randint(300, 1999)))
    return names


def age(scan: str, seed: int) -> float:
    """Age in years of a simulated subject, 20 to 86 as in IXI."""
    return round(random.Random(f"{seed} age {scan}").uniform(20, 86), 2)


def sex(scan: str, seed: int) -> int:
    """Sex of a simulated subject as IXI has it, 1 or 2; nothing in the scan depends on it."""
    return random.Random(f"{seed} sex {scan}").randint(1, 2)


def files(dataset: str, scan: str, site: str | None = None, contrast: str = "T1") -> list[str]:
    """Native paths of a scan in its data set's folder: the image, then the lesion mask.

    `site` is the folder of a site that the scan is in, by default the one in its name.
    """
    return load(dataset).files(scan, site, contrast)
