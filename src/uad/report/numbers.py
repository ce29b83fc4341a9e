"""Numbers as text, in one way on all pages."""

import math

DASH = "–"  # where there is no value


def number(value: float | None, decimals: int = 1) -> str:
    """A number: a dash if it is missing, a true minus sign, and none before a zero.

    Examples
    --------
    >>> number(-0.04), number(-1.25), number(float("nan"))
    ('0.0', '−1.2', '–')
    """
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:.{decimals}f}"
    return text.replace("-", "−" if float(text) else "")


def percent(fraction: float | None, decimals: int = 1) -> str:
    """A fraction in per cent, without the sign."""
    return DASH if fraction is None else number(100 * fraction, decimals)


def percent_with_spread(mean: float, std: float) -> str:
    """`12.34 ± 0.56` in per cent of two fractions; without the spread if it is missing.

    Examples
    --------
    >>> percent_with_spread(0.5857, 0.0123)
    '58.57 ± 1.23'
    """
    if not math.isfinite(mean) or not math.isfinite(std):
        return percent(mean, 2)
    return f"{percent(mean, 2)} ± {percent(std, 2)}"


def signed_difference(difference: float, low: float = math.nan, high: float = math.nan) -> str:
    """`+2.1 [0.4, 3.9]`, fractions in percentage points; the interval only if it is known.

    Examples
    --------
    >>> signed_difference(0.021, 0.004, 0.039)
    '+2.1 [0.4, 3.9]'
    """
    text = percent(difference)
    text = f"+{text}" if difference > 0 else text
    return text if math.isnan(low) else f"{text} [{percent(low)}, {percent(high)}]"


def p_value(p: float | None) -> str:
    """`0.012`, or `< 0.001`."""
    return "< 0.001" if p is not None and p < 0.001 else number(p, 3)


def memory(gibibytes: float) -> str:
    """`1.5 GiB`."""
    return f"{number(gibibytes)} GiB" if math.isfinite(gibibytes) else DASH


def duration(seconds: float) -> str:
    """`43 s`, `12 min 5 s`, `31 h 12 min`.

    Examples
    --------
    >>> duration(43), duration(725), duration(112320)
    ('43 s', '12 min 5 s', '31 h 12 min')
    """
    if not math.isfinite(seconds):
        return DASH
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def counted(n: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{n} {noun}{'s' * (n != 1)}"
