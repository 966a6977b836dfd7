"""The KOSPI 200, its KOSDAQ counterpart and the basis, in hundredths of a point: all invented."""

from ._trading import fraction


def kospi200(dt: str) -> int:
    """Return the close of a day."""
    return 95_000 + int(10_000 * fraction(dt, "kospi200"))


def kosdaq_index(dt: str) -> int:
    """Return the close of the index that ka90005 sends for KOSDAQ."""
    return 180_000 + int(20_000 * fraction(dt, "kosdaq"))


def basis(dt: str) -> int:
    """Return the basis at the end of a day, which may be negative."""
    return int(1200 * fraction(dt, "basis")) - 300


def kosdaq_basis(dt: str) -> int:
    """Return the wrong basis that ka90010 sends for KOSDAQ (recorded: 345 and 275 points)."""
    return 25_000 + int(10_000 * fraction(dt, "basis"))
