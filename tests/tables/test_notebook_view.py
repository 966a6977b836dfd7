"""The notebook view of a walk, as HTML."""

from html.parser import HTMLParser

import attrs
import pytest
from support.program_trades import QUERY

from kiwoom_async import Walk

pytestmark = pytest.mark.anyio


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
