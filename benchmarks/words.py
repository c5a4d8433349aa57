"""Measurements in words."""


def seconds(value: float) -> str:
    """Three digits, in seconds or milliseconds."""
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def megabytes(value: float) -> str:
    """From 10⁶ bytes: three digits at most, in gigabytes or megabytes."""
    return f"{value / 1000:.3g} GB" if value >= 1000 else f"{value:.3g} MB" if value >= 1 else "under 1 MB"
