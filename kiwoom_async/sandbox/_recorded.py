"""Answers of the user's own, for requests that the sandbox does not simulate."""

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, cast

from attrs import Factory, field, frozen, validators

from ._pages import Pages, page_headers
from ._replies import RefusalError, Reply, refusal, success


def _read_body(body: "Mapping[str, Any] | str | PathLike[str]") -> dict[str, Any]:
    """Return the answer; one in a file is read."""
    if isinstance(body, Mapping):
        return dict(body)
    if not isinstance(body, str | PathLike):
        kind = type(body).__name__
        raise ValueError(f'body: got a {kind}; expected the whole answer, as {{"list": [...]}}')
    try:
        answer: object = json.loads(Path(body).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"body: {Path(body)} is no JSON: {error}") from error
    if not isinstance(answer, dict):
        kind = type(answer).__name__
        raise ValueError(f"body: got a JSON {kind} in {Path(body)}; expected a JSON object")
    return cast("dict[str, Any]", answer)


def _only_list(recorded: "Recorded") -> str | None:
    names = [name for name, value in recorded.body.items() if isinstance(value, list)]
    if len(names) > 1:
        found = ", ".join(names)
        raise ValueError(f"body: got the lists {found}; expected one, or rows_key= to choose it")
    return names[0] if names else None


@frozen
class Recorded:
    """An answer of your own, served for every request with this `api_id` as long as it matches.

        Sandbox(recorded=[Recorded("ka10081", "candles.json", page_size=600)])

    `body` is the answer as a JSON object, or the path of a file that holds it; without a
    `return_code`, it gets 0. Its list is cut into pages of `page_size` rows, which follow each
    other by `cont-yn` and `next-key`; whatever else it holds is on every page. `rows_key` names the
    list, and is needed only if there are several. An answer without a list is sent whole.

    `match` are fields that the body of a request must have: recordings of one api-id with different
    `match` answer different requests, the first that matches answers. A request that none matches
    is refused with code 1517. `path` is the path to ask by; None accepts any below /api/dostk/. A
    recording of a request that the sandbox simulates takes its place.

    Raises ValueError for an answer without such a list, OSError for a file that cannot be read.
    """

    api_id: str = field(validator=validators.min_len(1))
    body: dict[str, Any] = field(converter=_read_body, repr=False)
    rows_key: str | None = field(default=Factory(_only_list, takes_self=True), kw_only=True)
    page_size: int = field(default=100, kw_only=True, validator=validators.ge(1))
    match: Mapping[str, Any] = field(factory=dict[str, Any], kw_only=True)
    path: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse a list that is not there, or holds no objects."""
        rows: object = [] if self.rows_key is None else self.body.get(self.rows_key)
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and row for row in cast("list[object]", rows)
        ):
            raise ValueError(
                f"rows_key: got {self.rows_key!r}; expected the name of a list of objects"
                f" in the answer, which has {', '.join(self.body)}"
            )

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Return True if the body of a request has every field of `match`."""
        return all(name in body and body[name] == self.match[name] for name in self.match)

    def reply(self, body: Mapping[str, Any], requested_key: str) -> Reply:
        """Return the page that the key leads to, the first one for "".

        Raises RefusalError 1517 for a key of another request or one that was never issued.
        """
        if self.rows_key is None:
            return success(self.body, page_headers(self.api_id, ""))
        query = (self.api_id, json.dumps(body, sort_keys=True))
        rows = self.body[self.rows_key]
        pages = Pages(self.api_id, query, self.rows_key, self.page_size, rows, self.body)
        return pages.reply(requested_key)


def recorded_reply(
    recordings: Iterable[Recorded], api_id: str, body: Mapping[str, Any], requested_key: str
) -> Reply:
    """Return the answer of the first of these recordings that matches.

    Raises RefusalError 1517 if none does.
    """
    recorded = list(recordings)
    for recording in recorded:
        if recording.matches(body):
            return recording.reply(body, requested_key)
    names = ", ".join(dict.fromkeys(name for recording in recorded for name in recording.match))
    raise RefusalError(refusal("1517", api_id=api_id, parameter=names, reason="not recorded"))
