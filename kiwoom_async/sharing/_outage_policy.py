"""The options for the time while the shared store cannot be used."""

import math

from attrs import frozen

from kiwoom_async.errors import short_repr


@frozen
class OutagePolicy:
    """How long to wait for the store, and the pace without it.

    `local_share` is how many requests a second this program then makes; None raises the error
    instead. `reserved` is what all programs leave unused for the local shares.
    """

    wait_seconds: float
    local_share: int | None
    reserved: int

    def check_pace(self, per_second: float) -> None:
        """Raise ValueError if `reserved` takes the whole pace."""
        if not self.reserved < per_second:
            raise ValueError(
                f"reserved: got {self.reserved}; expected less than the {per_second:g} requests/s"
                " that the programs share"
            )


def outage_policy(
    wait_seconds: float, local_share: int | None, reserved: int | None
) -> OutagePolicy:
    """Return the policy; raise ValueError for options that cannot work.

    Shares are whole numbers: two programs of half a request a second may send in the same second.
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
    own_share = local_share or 0
    total = own_share if reserved is None else reserved
    if total < own_share:
        raise ValueError(
            f"reserved: got {total}; expected local_share ({local_share}) or more, because it is"
            " the sum over all programs"
        )
    # A program with a local share goes on at once instead of waiting.
    return OutagePolicy(0.0 if local_share else wait_seconds, local_share, total)
