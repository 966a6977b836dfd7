"""Summary of a log of arrivals: the number of calls, and how close together they came.

Pure: counts what arrived; judges no limit.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ._handlers import ISSUE_API_ID

if TYPE_CHECKING:
    from ._app import Arrival

_WINDOW_SECONDS: Final = 1.0


@frozen(kw_only=True)
class Traffic:
    """The calls of one (app key, api-id), the pair that the rate limit holds for.

    `caller` is that of `Arrival`. `refused` counts the answers 429; `most_in_a_second` the calls of
    the busiest second, refused ones included; `tokens` the answers that gave a token, new or still
    valid, and were not altered by a fault.
    """

    caller: int
    api_id: str
    calls: int
    refused: int
    most_in_a_second: int
    tokens: int


def summary(arrivals: "Iterable[Arrival]") -> list[Traffic]:
    """Return the traffic of each (caller, api-id), sorted by both."""
    grouped: defaultdict[tuple[int, str], list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        grouped[arrival.caller, arrival.api_id].append(arrival)
    return [_traffic(*key, group) for key, group in sorted(grouped.items())]


def _traffic(caller: int, api_id: str, arrivals: "list[Arrival]") -> Traffic:
    return Traffic(
        caller=caller,
        api_id=api_id,
        calls=len(arrivals),
        refused=sum(arrival.status == 429 for arrival in arrivals),
        most_in_a_second=_most_in_a_second(arrival.time for arrival in arrivals),
        tokens=sum(_gave_token(arrival) for arrival in arrivals),
    )


def _gave_token(arrival: "Arrival") -> bool:
    succeeded = arrival.status == 200 and arrival.code is None and arrival.fault is None
    return succeeded and arrival.api_id == ISSUE_API_ID


def _most_in_a_second(times: Iterable[float]) -> int:
    most = 0
    window: deque[float] = deque()
    for time in times:
        # A negative age was recorded by another event loop, with another clock.
        while window and not 0 <= time - window[0] < _WINDOW_SECONDS:
            window.popleft()
        window.append(time)
        most = max(most, len(window))
    return most
