"""What a log of arrivals comes to: how many calls, and how close together.

Pure. Judges no pace; says what came, so that whoever started the programs can.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ._calls import ISSUE

if TYPE_CHECKING:
    from ._app import Arrival

_SECOND: Final = 1.0
_TOO_MANY_REQUESTS: Final = 429


@frozen(kw_only=True)
class Traffic:
    """What came for one (app key, api-id), which is what the limit holds for.

    `caller` is that of `Arrival`. `refused` counts the answers 429; `most_in_a_second` the calls of
    the busiest second, refused ones too; `tokens` the answers that gave a token, new or living,
    where no fault had a hand in it.
    """

    caller: int
    api_id: str
    calls: int
    refused: int
    most_in_a_second: int
    tokens: int


def summary(arrivals: "Iterable[Arrival]") -> list[Traffic]:
    """The traffic of each app key and api-id, in their order."""
    by_bucket: defaultdict[tuple[int, str], list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_bucket[arrival.caller, arrival.api_id].append(arrival)
    return [_traffic(*bucket, its) for bucket, its in sorted(by_bucket.items())]


def _traffic(caller: int, api_id: str, arrivals: "list[Arrival]") -> Traffic:
    return Traffic(
        caller=caller,
        api_id=api_id,
        calls=len(arrivals),
        refused=sum(arrival.status == _TOO_MANY_REQUESTS for arrival in arrivals),
        most_in_a_second=_most_in_a_second(arrival.time for arrival in arrivals),
        tokens=sum(_gave_token(arrival) for arrival in arrivals),
    )


def _gave_token(arrival: "Arrival") -> bool:
    good = arrival.status == 200 and arrival.code is None and arrival.fault is None
    return good and arrival.api_id == ISSUE


def _most_in_a_second(times: Iterable[float]) -> int:
    most = 0
    window: deque[float] = deque()
    for time in times:
        # A negative age means that another event loop, with another clock, wrote it.
        while window and not 0 <= time - window[0] < _SECOND:
            window.popleft()
        window.append(time)
        most = max(most, len(window))
    return most
