"""Errors as values: their text, and pickling."""

import pickle

import pytest
from support.exchange import QUERY

from kiwoom_async import (
    ApiError,
    AuthError,
    BlockedError,
    ContinuationError,
    DecodeError,
    RateLimited,
    TransportError,
)
from kiwoom_async._protocol.pages import first_cursor


@pytest.mark.parametrize(
    "error",
    [
        ApiError("no", code="1511", return_code=2, api_id="ka90004"),
        RateLimited("slower", code="1700"),
        BlockedError("page", status=503, excerpt="later"),
        DecodeError("bad", problems=["x @ y"], damaged=True),
        TransportError("gone", local=True),
        ContinuationError("circle"),
    ],
)
def test_errors_keep_their_attributes_when_pickled(error):
    error.cursor, error.page, error.attempts = first_cursor(QUERY), 3, 4
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def test_the_text_of_an_error_has_query_pages_attempts_and_advice():
    error = AuthError("[8050:no]", code="8050", api_id="au10001")
    error.query, error.page, error.attempts = QUERY, 12, 4
    assert str(error) == (
        "au10001: [8050:no] (2026-11-20 KOSPI KRX, pages delivered: 12, attempts: 4)"
        " -- register this machine's public IP address in the Kiwoom REST API portal"
    )
