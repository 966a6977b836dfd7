"""What a program declares for the time while the shared place is away."""

import math

from kiwoom_async._wire import shown


def declared(local_share: int | None, reserved: int | None) -> tuple[int | None, int]:
    """Both, checked: the calls a second of this program alone, and those of all programs together.

    Whole numbers: two programs of half a call a second each may call in the same second.
    """
    for name, value in (("local_share", local_share), ("reserved", reserved)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError(f"{name}: got {shown(value)}; expected a whole number of requests/s")
    if local_share is not None and local_share < 1:
        raise ValueError(f"local_share: got {local_share}; expected 1 request/s or more")
    together = (local_share or 0) if reserved is None else reserved
    if together < (local_share or 0):
        raise ValueError(
            f"reserved: got {together}, and local_share {local_share}; it is what all programs "
            "have together"
        )
    return local_share, together


def check_room(reserved: int, per_second: float) -> None:
    """ValueError unless something is left to share."""
    if not reserved < per_second or math.isnan(per_second):
        raise ValueError(
            f"reserved: {reserved} of {per_second:g} requests/s leaves nothing to share"
        )
