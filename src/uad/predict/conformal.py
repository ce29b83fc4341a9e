"""How a scan compares with healthy brains: conformal p-values and the rates they keep.

Voxels of one scan are not independent, so a false-positive rate of voxels says little about scans.
A rate here is of scans: at most a share alpha of healthy scans gets a p-value of at most alpha,
whatever the distribution of scores (Vovk, Gammerman and Shafer 2005; split conformal). That holds
exactly for one fold. With several, each healthy validation scan was scored by the fold that did not
train on it, and a new scan is scored by every fold and compared with each fold's healthy scans by
that fold's score (cross-conformal prediction: Vovk 2015, Annals of Mathematics and Artificial
Intelligence 74:9): the rate is kept closely in practice and at most doubled by proof.

Both need healthy scans that are drawn as the new one is: other scanners or ages may show more.
"""

from collections.abc import Mapping, Sequence

RATES = (0.01, 0.05, 0.1)


def p_value(values: Mapping[int, float], healthy: Sequence[tuple[int, float]]) -> float:
    """Share of healthy scans, the new one among them, that show at least as much.

    Parameters
    ----------
    values : mapping of int to float
        A measure of the new scan by each fold; higher is more abnormal.
    healthy : sequence of (int, float)
        Fold and measure of each healthy validation scan.

    Returns
    -------
    float
        Above 0, at most 1.

    Examples
    --------
    >>> healthy = [(0, 1.2), (0, 0.3), (1, 4.0)]  # of folds 0 and 1
    >>> p_value({0: 2.0, 1: 3.5}, healthy)
    0.5
    """
    as_much = sum(bool(value >= values[fold]) for fold, value in healthy)
    return (1 + as_much) / (1 + len(healthy))


def percentile(values: Mapping[int, float], healthy: Sequence[tuple[int, float]]) -> float:
    """Per cent of the healthy scans that show less; NaN without any. Arguments as `p_value`."""
    if not healthy:
        return float("nan")
    return 100 * sum(bool(value < values[fold]) for fold, value in healthy) / len(healthy)


def supported(rate: float, n: int) -> bool:
    """Whether `n` healthy scans suffice for a rate: some p-value must be as small.

    Examples
    --------
    >>> supported(0.05, 19), supported(0.05, 18)
    (True, False)
    """
    return 1 / (n + 1) <= rate * (1 + 1e-9)


def exceeds(p: float, n: int) -> dict[float, bool | None]:
    """For each of `RATES`, whether a scan exceeds what that share of healthy ones may; None if `n`
    healthy scans are too few to say so.

    Examples
    --------
    >>> exceeds(0.04, 30)
    {0.01: None, 0.05: True, 0.1: True}
    """
    return {rate: p <= rate if supported(rate, n) else None for rate in RATES}
