"""FastEngine reads the program-trading requests by columns, and reads what the converter reads."""

import json

import pytest
from support.family_queries import RECORDED, WHOLE, sent_rows

from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import decode_page, first_cursor
from kiwoom_async.speed._columns import read_page


@pytest.mark.parametrize("name", WHOLE)
def test_recorded_pages_are_read_by_columns(name):
    query = RECORDED[name]
    body = {query.rows_key: sent_rows(name), "return_code": 0, "return_msg": "ok"}
    request = Request(query.api_id, "/", {}, b"", ())
    headers = {"api-id": query.api_id, "cont-yn": "N"}
    answer = Response(request, 200, headers, json.dumps(body).encode())
    rows, beside = read_page(answer, query)
    assert rows == decode_page(answer, query, first_cursor(query)).rows
    assert beside == {"return_msg": "ok"}
