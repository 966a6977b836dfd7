"""Rows as tables: the same values in Arrow, pandas and polars, and back again."""

import io
import json
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from html.parser import HTMLParser

import attrs
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.decoding import decode_page
from support.exchange import small_sandbox
from support.recorded import recorded

from kiwoom_async import (
    Exchange,
    KiwoomClient,
    Market,
    ProgramTrade,
    ProgramTradeQuery,
    Rows,
    Walk,
    tables,
    wire,
)
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import first_cursor

pytestmark = pytest.mark.anyio
QUERY = ProgramTradeQuery("2026-08-10", Market.KOSPI, Exchange.CONSOLIDATED)
NAMES = [field.name for field in attrs.fields(ProgramTrade)]


def page_of(body):
    response = Response(
        Request("ka90004", "/", {}, b"", ()), 200, {"api-id": "ka90004"}, json.dumps(body).encode()
    )
    return decode_page(response, QUERY, first_cursor(QUERY))


@pytest.fixture
def page():
    """Recorded rows, one of them without a price and one without a move."""
    body = recorded("ka90004_rows_20260810_kospi_all")
    rows = body["stk_prm_trde_prst"]
    rows += [rows[0] | {"stk_cd": "0156T0_AL", "cur_prc": ""}, rows[1] | {"flu_sig": "0"}]
    return page_of(body)


@pytest.fixture
async def walk():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        return await kiwoom.collect(QUERY)


def as_python(row):
    """The row's values, in order, as every table should hold them."""
    return tuple(attrs.astuple(row))


# ---- the schema


def test_the_schema_follows_the_row_class():
    schema = tables.schema(ProgramTrade)
    assert schema.names == NAMES
    assert {name: str(schema.field(name).type) for name in NAMES} == {
        "symbol": "string", "stock_name": "string", "price": "int64", "move": "string",
        "change": "int64", "buy_quantity": "int64", "buy_amount": "int64",
        "sell_quantity": "int64", "sell_amount": "int64", "net_buy_amount": "int64",
        "turnover_share": "decimal128(18, 2)", "date": "date32[day]", "market": "string",
        "exchange": "string",
    }  # fmt: skip
    assert [name for name in NAMES if schema.field(name).nullable] == ["price", "move"]


def test_a_column_says_its_unit_its_korean_name_and_its_wire_name():
    schema = tables.schema(ProgramTrade)
    assert schema.field("buy_amount").metadata == {
        b"unit": b"million won", b"korean": "매수체결금액".encode(), b"wire": b"buy_cntr_amt",
    }  # fmt: skip
    assert b"unit" not in schema.field("symbol").metadata
    assert not schema.field("date").metadata


# ---- the same values everywhere, and back


def test_arrow_holds_every_value(page):
    table = page.to_arrow()
    assert table.schema.equals(tables.schema(ProgramTrade), check_metadata=True)
    assert [tuple(each.values()) for each in table.to_pylist()] == [*map(as_python, page.rows)]
    assert tables.rows_of(table, ProgramTrade) == page.rows


def test_polars_holds_every_value(page):
    frame = page.to_polars()
    assert frame.rows() == [*map(as_python, page.rows)]
    assert frame.schema["price"] == pl.Int64
    assert frame.schema["turnover_share"] == pl.Decimal(18, 2)
    assert frame.schema["date"] == pl.Date
    assert tables.rows_of(frame, ProgramTrade) == page.rows


def test_pandas_holds_every_value_and_makes_no_float_of_a_missing_price(page):
    frame = page.to_pandas()
    assert list(frame.columns) == NAMES
    assert str(frame["price"].dtype) == "Int64"
    assert str(frame["change"].dtype) == "int64"
    assert str(frame["date"].dtype).startswith("datetime64")
    for name in NAMES:
        wanted = [getattr(row, name) for row in page.rows]
        found = [None if pd.isna(value) else value for value in frame[name].tolist()]
        assert found == ([pd.Timestamp(day) for day in wanted] if name == "date" else wanted)
    assert frame["turnover_share"].sum() == sum(row.turnover_share for row in page.rows)
    assert tables.rows_of(frame, ProgramTrade) == page.rows


def test_parquet_csv_and_jsonl_of_the_frames_bring_every_row_back(page):
    file = io.BytesIO()
    pq.write_table(page.to_arrow(), file)
    assert tables.rows_of(pq.read_table(file), ProgramTrade) == page.rows
    frame = page.to_polars()
    schema = dict(frame.schema)
    csv = pl.read_csv(frame.write_csv().encode(), schema=schema)
    assert tables.rows_of(csv, ProgramTrade) == page.rows
    # polars writes a decimal as text, and reads it back as such.
    as_text = schema | {"turnover_share": pl.String}
    lines = pl.read_ndjson(frame.write_ndjson().encode(), schema=as_text)
    assert tables.rows_of(lines.cast(schema), ProgramTrade) == page.rows


async def test_a_walk_its_rows_and_a_choice_of_them_are_tables(walk):
    assert tables.rows_of(walk.to_arrow(), ProgramTrade) == walk.rows
    assert tables.rows_of(walk.rows.to_polars(), ProgramTrade) == walk.rows
    bought = Rows(row for row in walk.rows if row.net_buy_amount > 0)
    assert 0 < len(bought) < len(walk.rows)
    assert bought.to_pandas()["net_buy_amount"].gt(0).all()


async def test_consumers_of_arrow_take_pages_walks_and_rows_directly(walk, page):
    assert pl.DataFrame(walk).rows() == [*map(as_python, walk.rows)]
    assert pa.table(page).num_rows == len(page.rows)
    assert pa.RecordBatchReader.from_stream(page.rows).read_all().equals(page.to_arrow())
    assert pd.DataFrame.from_arrow(walk).shape == (len(walk.rows), len(NAMES))
    count = duckdb.sql("select count(*), sum(net_buy_amount) from walk").fetchall()
    assert count == [(len(walk.rows), sum(row.net_buy_amount for row in walk.rows))]


async def test_a_stream_may_be_asked_for_with_another_schema(walk):
    wider = pa.schema([pa.field(name, pa.large_string()) for name in ("symbol",)])
    table = walk.rows.to_arrow().select(["symbol"])
    assert pa.table(table, schema=wider).schema == wider
    assert walk.__arrow_c_stream__() is not None


def test_no_rows_still_have_columns():
    empty = page_of(recorded("ka90004_blank_row"))
    assert empty.rows == []
    for table in (empty.to_arrow(), empty.rows.to_arrow()):
        assert (table.num_rows, table.schema.names) == (0, NAMES)
    assert list(empty.to_pandas().columns) == NAMES
    assert empty.to_polars().columns == NAMES
    assert tables.to_arrow([], ProgramTrade).num_rows == 0
    with pytest.raises(ValueError, match="no rows, and no class of rows"):
        Rows().to_arrow()


# ---- floats


def shares_of(rows):
    return [float(row.turnover_share) for row in rows]


def test_floats_make_shares_float64_and_change_nothing_else(page):
    exact, floats = page.to_arrow(), page.to_arrow(floats=True)
    assert floats.schema.equals(tables.schema(ProgramTrade, floats=True), check_metadata=True)
    assert floats.schema.field("turnover_share").type == pa.float64()
    assert floats.schema.field("turnover_share").metadata[b"unit"] == b"percent"
    assert floats["turnover_share"].to_pylist() == shares_of(page.rows)
    assert floats.drop_columns(["turnover_share"]) == exact.drop_columns(["turnover_share"])
    assert tables.rows_of(floats, ProgramTrade) == page.rows


def test_decimals_stay_the_default(page):
    assert str(page.to_arrow().schema.field("turnover_share").type) == "decimal128(18, 2)"
    assert str(page.to_pandas()["turnover_share"].dtype) == "decimal128(18, 2)[pyarrow]"
    assert page.to_polars().schema["turnover_share"] == pl.Decimal(18, 2)


async def test_pages_walks_rows_and_functions_take_floats(page, walk):
    for rows, of in ((page, page.rows), (walk, walk.rows), (page.rows, page.rows)):
        assert rows.to_arrow(floats=True)["turnover_share"].to_pylist() == shares_of(of)
        assert rows.to_pandas(floats=True)["turnover_share"].tolist() == shares_of(of)
        assert rows.to_polars(floats=True)["turnover_share"].to_list() == shares_of(of)
    assert tables.to_arrow(page.rows, floats=True) == page.to_arrow(floats=True)
    assert tables.to_pandas(page.rows, floats=True).equals(page.to_pandas(floats=True))
    assert tables.to_polars(page.rows, floats=True).equals(page.to_polars(floats=True))
    assert tables.to_arrow([], ProgramTrade, floats=True).schema == tables.schema(
        ProgramTrade, floats=True
    )


def test_pandas_computes_with_floats(page):
    shares = ["0.0809", "0.00"]
    frame = Rows(
        attrs.evolve(page.rows[0], turnover_share=Decimal(share)) for share in shares
    ).to_pandas(floats=True)
    assert str(frame["turnover_share"].dtype) == "float64"
    assert frame["turnover_share"].mean() == pytest.approx(0.04045)

    frame = page.to_pandas(floats=True)
    assert list(frame.columns) == NAMES
    assert str(frame["price"].dtype) == "Int64"
    assert str(frame["date"].dtype).startswith("datetime64")
    shares = shares_of(page.rows)
    assert frame.nlargest(3, "turnover_share")["turnover_share"].tolist() == sorted(shares)[:-4:-1]
    assert frame["turnover_share"].cumsum().iloc[-1] == pytest.approx(sum(shares))
    assert frame.describe()["turnover_share"]["max"] == max(shares)
    assert frame.groupby("market")["turnover_share"].mean().iloc[0] == pytest.approx(
        sum(shares) / len(shares)
    )
    with closing(sqlite3.connect(":memory:")) as database:
        frame.to_sql("trades", database, index=False)
        found = database.execute("select turnover_share, price from trades").fetchall()
    assert found == [(float(row.turnover_share), row.price) for row in page.rows]


def test_polars_computes_with_floats(page):
    frame = page.to_polars(floats=True)
    assert frame.schema["turnover_share"] == pl.Float64
    thirds = frame.select(pl.col("turnover_share") / 3)["turnover_share"].to_list()
    assert thirds == pytest.approx([share / 3 for share in shares_of(page.rows)])


@attrs.frozen
class Rate:
    """A row class of a user's own, whose rate may be missing."""

    code: str = attrs.field(metadata=wire("cd"))
    rate: Decimal | None = attrs.field(metadata=wire("rt", unit="percent", decimals=2))


def test_a_missing_decimal_is_missing_as_a_float_too():
    rows = Rows([Rate("a", Decimal("1.29")), Rate("b", None)])
    assert rows.to_arrow(floats=True)["rate"].to_pylist() == [1.29, None]
    assert rows.to_polars(floats=True)["rate"].to_list() == [1.29, None]
    frame = rows.to_pandas(floats=True)
    assert str(frame["rate"].dtype) == "float64"
    assert (frame["rate"].mean(), frame["rate"].isna().tolist()) == (1.29, [False, True])
    assert tables.rows_of(rows.to_arrow(floats=True), Rate) == rows


# ---- what does not fit


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"buy_amount": 2**63}, "buy_amount of row 1 is 9223372036854775808"),
        ({"turnover_share": Decimal("1.005")}, "turnover_share of row 1 is 1.005"),
        ({"turnover_share": Decimal("1e17")}, "turnover_share of row 1 is 1E\\+17"),
    ],
)
def test_a_value_that_no_column_can_hold_is_an_error_and_never_rounded(page, change, problem):
    rows = [page.rows[0], attrs.evolve(page.rows[1], **change)]
    with pytest.raises(ValueError, match=problem):
        tables.to_arrow(rows)


def test_a_table_of_something_else_is_refused(page):
    table = page.to_arrow()
    with pytest.raises(ValueError, match="lacks the columns price, exchange"):
        tables.rows_of(table.drop_columns(["price", "exchange"]), ProgramTrade)
    at = table.schema.get_field_index("price")
    priced = table.set_column(at, "price", pa.array(["dear"] * table.num_rows))
    with pytest.raises(ValueError, match="is not one of ProgramTrade"):
        tables.rows_of(priced, ProgramTrade)
    at = table.schema.get_field_index("market")
    elsewhere = table.set_column(at, "market", pa.array(["KONEX"] * table.num_rows))
    with pytest.raises(ValueError, match="KONEX"):
        tables.rows_of(elsewhere, ProgramTrade)


# ---- what the lists still are


def test_rows_are_a_list(page):
    assert isinstance(page.rows, list)
    assert page.rows == list(page.rows)
    assert pickle.loads(pickle.dumps(page.rows)) == page.rows
    assert pickle.loads(pickle.dumps(page.rows)).to_arrow().equals(page.rows.to_arrow())
    assert attrs.evolve(page, rows=list(page.rows)).rows.to_polars().height == len(page.rows)


# ---- notebooks


class Cells(HTMLParser):
    """The text of each kind of element."""

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


async def test_a_walk_shows_rows_units_and_audit_in_a_notebook(walk):
    shown = Cells(walk._repr_html_())
    assert shown.open == []
    assert shown.found["b"] == [str(QUERY)]
    assert shown.found["th"][:3] == ["symbol", "stock_name", "price"]
    assert {"won", "thousand shares", "million won", "percent"} == set(shown.found["small"])
    assert f"{walk.rows[0].buy_amount:,}" in shown.found["td"]
    assert "... and 110 more rows" in shown.found["p"]
    assert f"audit: {walk.audit}" in shown.found["p"]


def test_a_name_that_looks_like_html_is_only_text(page):
    odd = attrs.evolve(page.rows[0], stock_name="<script>alert('R&D')</script>", price=None)
    walk = Walk(QUERY, [odd], page.totals, audit="a < b")
    assert "<script>" not in walk._repr_html_()
    assert "a &lt; b" in walk._repr_html_()
    assert "None" not in walk._repr_html_()


# ---- without the extras


@pytest.mark.parametrize(
    ("missing", "method", "extra"),
    [
        ("pyarrow", "to_arrow", "arrow"),
        ("pyarrow", "__arrow_c_stream__", "arrow"),
        ("pandas", "to_pandas", "pandas"),
        ("pyarrow", "to_pandas", "pandas"),
        ("pyarrow", "to_polars", "polars"),
        ("polars", "to_polars", "polars"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(missing, method, extra):
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from kiwoom_async import ProgramTrade, Rows\n"
        f"Rows([], ProgramTrade).{method}()"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510, S603
    assert (
        f"ModuleNotFoundError: {missing} is not installed: pip install 'kiwoom-async[{extra}]'"
        in (run.stderr)
    )


def test_a_package_that_misses_another_is_not_our_extra():
    program = (
        "from kiwoom_async.errors import require_extra\n"
        "with require_extra('arrow', 'pyarrow'):\n"
        "    import no_such_package_at_all\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510, S603
    assert "kiwoom-async[" not in run.stderr
    assert "no_such_package_at_all" in run.stderr
