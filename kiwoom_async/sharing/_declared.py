"""What a program declares for the time while the shared place is away."""

import math

from attrs import frozen

from kiwoom_async.errors import short_repr


@frozen
class WhenAway:
    """How long to wait for the place, and what to live on without it.

    `local_share` is how many calls a second this program then makes, None for none: the error;
    `reserved` what all programs leave unused for that.
    """

    wait_seconds: float
    local_share: int | None
    reserved: int

    def check_room(self, per_second: float) -> None:
        """ValueError unless something is left to share."""
        if not self.reserved < per_second:
            raise ValueError(
                f"reserved: {self.reserved} of {per_second:g} requests/s leaves nothing to share"
            )


def declared(wait_seconds: float, local_share: int | None, reserved: int | None) -> WhenAway:
    """The three, checked.

    Whole numbers: two programs of half a call a second each may call in the same second.
    """
    if (
        isinstance(wait_seconds, bool)
        or not isinstance(wait_seconds, int | float)
        or not 0 <= wait_seconds < math.inf
    ):
        raise ValueError(f"wait_seconds: got {short_repr(wait_seconds)}; expected 0 or more")
    for name, value in (("local_share", local_share), ("reserved", reserved)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError(
                f"{name}: got {short_repr(value)}; expected a whole number of requests/s"
            )
    if local_share is not None and local_share < 1:
        raise ValueError(f"local_share: got {local_share}; expected 1 request/s or more")
    together = (local_share or 0) if reserved is None else reserved
    if together < (local_share or 0):
        raise ValueError(
            f"reserved: got {together}, and local_share {local_share}; it is what all programs "
            "have together"
        )
    # With a share of its own a program need not wait for the place.
    return WhenAway(0.0 if local_share else wait_seconds, local_share, together)
