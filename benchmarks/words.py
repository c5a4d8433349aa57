"""Measurements as text."""


def seconds(value: float) -> str:
    """Seconds to three digits, in s or ms."""
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def megabytes(value: float) -> str:
    """Megabytes (10⁶ bytes) to at most three digits, in GB or MB."""
    return f"{value / 1000:.3g} GB" if value >= 1000 else f"{value:.3g} MB" if value >= 1 else "under 1 MB"
