"""Pages of ka90004: recorded rows with changes, in answers, decoded by the engine under test."""

import datetime
import json

from support.decoding import decode_page
from support.recorded import recorded

from kiwoom_async import Exchange, Market, ProgramTradeQuery
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import first_cursor

DAY = datetime.date(2026, 8, 10)
QUERY = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.CONSOLIDATED)


def answer_of(body, headers=None):
    """Return an answer with this body."""
    request = Request("ka90004", "/", {}, b"", ())
    return Response(
        request, 200, {"api-id": "ka90004"} | (headers or {}), json.dumps(body).encode()
    )


def decoded_page(body, headers=None, query=QUERY):
    """Return the page that is decoded from this body."""
    return decode_page(answer_of(body, headers), query, first_cursor(query))


def wire_row(**changes):
    """Return a recorded row with these changes; `...` removes a field."""
    row = recorded("ka90004_rows_20260810_kospi_all")["stk_prm_trde_prst"][0]
    return {name: value for name, value in (row | changes).items() if value is not ...}


def body_of(*rows):
    """Return the body of a page with these rows."""
    return {"stk_prm_trde_prst": list(rows), "return_code": 0, "return_msg": "ok"}
