"""The HTML report is well-formed, escaped, needs no other file, and says the main numbers."""

import base64
import re

import attrs
import pytest
from report.drawing import parse_xml

from kiwoom_async import Exchange
from kiwoom_async.report import buy_against_sell, day_flows, report_html
from kiwoom_async.report._canvas import render
from kiwoom_async.report._html import compact_svg
from kiwoom_async.report._style import format_signed


@pytest.fixture(scope="module")
def page(rows, many_days):
    """A page with all figures and remarks, of simulated numbers."""
    remarks = ["KOSPI: 3 pages, everything adds up", "<script>alert('&')</script>"]
    return report_html(
        rows, days=day_flows(many_days), stock_rows=many_days, remarks=remarks, simulated=True
    )


@pytest.fixture(scope="module")
def day_page(rows):
    """A page of one day, of real numbers."""
    return report_html(rows)


def parse_page(page):
    return parse_xml(page.removeprefix("<!DOCTYPE html>"))


def svgs(page):
    return [base64.b64decode(data) for data in re.findall(r"svg\+xml;base64,([^\"]+)", page)]


def test_the_page_is_well_formed_and_needs_no_other_file(page):
    tree = parse_page(page)
    assert tree.attrib == {"lang": "en"}
    assert tree.find(".//script") is None
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)
    addresses = [
        element.get("src") or element.get("srcset")
        for element in tree.iter()
        if element.tag in ("img", "source")
    ]
    assert len(addresses) == 12
    assert all(address.startswith("data:image/svg+xml;base64,") for address in addresses)
    media = [source.get("media") for source in tree.iter("source")]
    assert media == ["(max-width: 720px)"] * 6
    assert len(page.encode()) < 3_000_000


def test_its_figures_are_paths_without_text_date_or_address(page):
    for svg in svgs(page):
        parse_xml(svg)
        assert b"<text" not in svg
        assert b"<dc:" not in svg
        without_namespaces = re.sub(rb"xmlns(:\w+)?=\"[^\"]+\"", b"", svg)
        assert b"http" not in without_namespaces


def test_a_compact_svg_is_the_same_drawing(rows):
    """It has all elements and attributes; numbers differ in their last digits only."""
    svg = render(buy_against_sell(rows), "svg")
    compact = compact_svg(svg)
    assert len(compact) < 0.9 * len(svg)
    elements = zip(tags_and_numbers(svg), tags_and_numbers(compact), strict=True)
    for (tag, attributes), (compact_tag, compact_attributes) in elements:
        assert tag == compact_tag
        pairs = zip(attributes, compact_attributes, strict=True)
        for (key, numbers), (compact_key, compact_numbers) in pairs:
            assert key == compact_key
            assert numbers == pytest.approx(compact_numbers, abs=0.11)


def tags_and_numbers(svg):
    """Return the tag of each element but the metadata, and the numbers in its attributes."""
    tree = parse_xml(svg)
    for metadata in tree.findall("{*}metadata"):
        tree.remove(metadata)
    return [
        (element.tag, [(key, rounded_numbers(value)) for key, value in element.items()])
        for element in tree.iter()
    ]


def rounded_numbers(text):
    return [round(float(number), 1) for number in re.findall(r"-?\d+\.?\d*", text)]


def test_the_page_says_the_numbers_in_words_and_in_tables(page, rows):
    consolidated = [row for row in rows if row.exchange is Exchange.CONSOLIDATED]
    most_bought = max(consolidated, key=lambda row: row.net_buy_amount)
    net = format_signed(most_bought.net_buy_amount)
    tree = parse_page(page)
    alts = [image.get("alt") for image in tree.iter("img")]
    assert f"Most bought: {most_bought.stock_name} {net}" in alts[0]
    assert all(len(alt) > 60 for alt in alts)
    first_row = tree.find(".//tbody/tr")
    cells = ["".join(cell.itertext()) for cell in first_row]
    assert cells == [
        most_bought.stock_name,
        most_bought.stock_code,
        f"{most_bought.price:,}",
        net,
        f"{most_bought.turnover_share:.2f}",
    ]
    assert len(tree.findall(".//table")) == 2


def test_the_page_escapes_remarks_and_names(page, rows):
    assert "<script>" not in page
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in page
    renamed = [attrs.evolve(row, stock_name='R&D<b>"') for row in rows if row.buy_amount][:3]
    renamed_page = report_html(renamed)
    assert "R&D<b>" not in renamed_page
    assert "R&amp;D&lt;b&gt;&quot;" in renamed_page
    parse_page(renamed_page)


def test_the_same_rows_give_the_same_bytes(rows, day_page):
    assert report_html(list(rows)) == day_page


def test_only_simulated_numbers_are_called_invented(page, day_page):
    assert "Simulated exchange: the numbers are invented." in page
    assert "invented" not in day_page


def test_flows_are_drawn_from_two_days_on(rows):
    some_rows = rows[:3]
    page = report_html(some_rows, days=day_flows(some_rows), stock_rows=some_rows)
    assert len(svgs(page)) == 8


def test_a_page_without_rows_says_so():
    page = report_html([])
    parse_page(page)
    assert "no program trades" in page
    assert "<table" not in page
