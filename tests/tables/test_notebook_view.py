"""The notebook view of a walk, as HTML."""

import json
from html.parser import HTMLParser

import attrs
import pytest
from support.decoding import decode_page
from support.exchange import small_sandbox
from support.recorded import recorded

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery, Walk
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import first_cursor

pytestmark = pytest.mark.anyio
QUERY = ProgramTradeQuery("2026-08-10", Market.KOSPI, Exchange.CONSOLIDATED)


def page_of(body):
    """Return the page that is decoded from this body."""
    response = Response(
        Request("ka90004", "/", {}, b"", ()), 200, {"api-id": "ka90004"}, json.dumps(body).encode()
    )
    return decode_page(response, QUERY, first_cursor(QUERY))


@pytest.fixture
def page():
    """Return recorded rows, one of them without a price and one without a move."""
    body = recorded("ka90004_rows_20260810_kospi_all")
    rows = body["stk_prm_trde_prst"]
    rows += [rows[0] | {"stk_cd": "0156T0_AL", "cur_prc": ""}, rows[1] | {"flu_sig": "0"}]
    return page_of(body)


@pytest.fixture
async def walk():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        return await kiwoom.collect(QUERY)


class TextByTag(HTMLParser):
    """The texts of an HTML document by tag (`found`), and the unclosed tags (`open`)."""

    def __init__(self, html):
        super().__init__()
        self.open, self.found = [], {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.found.setdefault(self.open[-1], []).append(data)


async def test_the_notebook_view_of_a_walk_has_rows_units_and_audit(walk):
    parsed = TextByTag(walk._repr_html_())
    assert parsed.open == []
    assert parsed.found["b"] == [str(QUERY)]
    assert parsed.found["th"][:3] == ["symbol", "stock_name", "price"]
    assert {"won", "thousand shares", "million won", "percent"} == set(parsed.found["small"])
    assert f"{walk.rows[0].buy_amount:,}" in parsed.found["td"]
    assert "... and 110 more rows" in parsed.found["p"]
    assert f"audit: {walk.audit}" in parsed.found["p"]


def test_html_in_a_name_is_escaped(page):
    odd = attrs.evolve(page.rows[0], stock_name="<script>alert('R&D')</script>", price=None)
    walk = Walk(QUERY, [odd], page.totals, audit="a < b")
    assert "<script>" not in walk._repr_html_()
    assert "a &lt; b" in walk._repr_html_()
    assert "None" not in walk._repr_html_()
