"""Random generators that are derived from names and passed down, never global.

A generator is made where it is used, from the run's seed and the words that say what it is for
(model, fold, epoch, subject, ...). Nothing has to be stored to resume a run, jobs may run in any
order, and importing a module never touches a generator (the released code reseeds everything when
its augmentation module is imported).
"""

import hashlib

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) that depends on `seed` and on every name, in order.

    Parameters
    ----------
    seed : int
        The run's seed (`config["seed"]`).
    *names : str or int
        What the generator is for, for example ``("cddpm", "fold", 3, "epoch", 17)``.
    """
    text = "\0".join(str(part) for part in (seed, *names))
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for `names`; see `derive`.

    Examples
    --------
    >>> first = generator(3141, "cddpm", "fold", 3).integers(1000)
    >>> bool(first == generator(3141, "cddpm", "fold", 3).integers(1000))
    True
    """
    return np.random.default_rng(derive(seed, *names))
