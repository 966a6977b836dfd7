"""Rows as tables: the same values in Arrow, pandas and polars, and back again."""

import io
import json
import pickle
import subprocess
import sys
from decimal import Decimal

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
    tables,
)
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import first_cursor

pytestmark = pytest.mark.anyio
QUERY = ProgramTradeQuery("2026-08-10", Market.KOSPI, Exchange.CONSOLIDATED)
NAMES = [field.name for field in attrs.fields(ProgramTrade)]


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


def values_of(row):
    """Return the values of a row in the order of the columns."""
    return tuple(attrs.astuple(row))


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


def test_a_column_has_its_unit_korean_name_and_wire_name_as_metadata():
    schema = tables.schema(ProgramTrade)
    assert schema.field("buy_amount").metadata == {
        b"unit": b"million won", b"korean": "매수체결금액".encode(), b"wire": b"buy_cntr_amt",
    }  # fmt: skip
    assert b"unit" not in schema.field("symbol").metadata
    assert not schema.field("date").metadata


def test_arrow_holds_every_value(page):
    table = page.to_arrow()
    assert table.schema.equals(tables.schema(ProgramTrade), check_metadata=True)
    assert [tuple(row.values()) for row in table.to_pylist()] == [*map(values_of, page.rows)]
    assert tables.rows_of(table, ProgramTrade) == page.rows


def test_polars_holds_every_value(page):
    frame = page.to_polars()
    assert frame.rows() == [*map(values_of, page.rows)]
    assert frame.schema["price"] == pl.Int64
    assert frame.schema["turnover_share"] == pl.Decimal(18, 2)
    assert frame.schema["date"] == pl.Date
    assert tables.rows_of(frame, ProgramTrade) == page.rows


def test_pandas_holds_every_value_and_keeps_a_missing_price_an_integer_column(page):
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


def test_rows_come_back_from_parquet_csv_and_json_lines(page):
    file = io.BytesIO()
    pq.write_table(page.to_arrow(), file)
    assert tables.rows_of(pq.read_table(file), ProgramTrade) == page.rows
    frame = page.to_polars()
    schema = dict(frame.schema)
    csv = pl.read_csv(frame.write_csv().encode(), schema=schema)
    assert tables.rows_of(csv, ProgramTrade) == page.rows
    # polars writes decimals as text in JSON lines.
    as_text = schema | {"turnover_share": pl.String}
    lines = pl.read_ndjson(frame.write_ndjson().encode(), schema=as_text)
    assert tables.rows_of(lines.cast(schema), ProgramTrade) == page.rows


async def test_a_walk_its_rows_and_a_selection_of_rows_become_tables(walk):
    assert tables.rows_of(walk.to_arrow(), ProgramTrade) == walk.rows
    assert tables.rows_of(walk.rows.to_polars(), ProgramTrade) == walk.rows
    bought = Rows(row for row in walk.rows if row.net_buy_amount > 0)
    assert 0 < len(bought) < len(walk.rows)
    assert bought.to_pandas()["net_buy_amount"].gt(0).all()


async def test_arrow_consumers_accept_pages_walks_and_rows_directly(walk, page):
    assert pl.DataFrame(walk).rows() == [*map(values_of, walk.rows)]
    assert pa.table(page).num_rows == len(page.rows)
    assert pa.RecordBatchReader.from_stream(page.rows).read_all().equals(page.to_arrow())
    assert pd.DataFrame.from_arrow(walk).shape == (len(walk.rows), len(NAMES))
    count = duckdb.sql("select count(*), sum(net_buy_amount) from walk").fetchall()
    assert count == [(len(walk.rows), sum(row.net_buy_amount for row in walk.rows))]


async def test_an_arrow_stream_can_be_requested_with_another_schema(walk):
    wider = pa.schema([pa.field(name, pa.large_string()) for name in ("symbol",)])
    table = walk.rows.to_arrow().select(["symbol"])
    assert pa.table(table, schema=wider).schema == wider
    assert walk.__arrow_c_stream__() is not None


def test_tables_without_rows_have_all_columns():
    empty = page_of(recorded("ka90004_blank_row"))
    assert empty.rows == []
    for table in (empty.to_arrow(), empty.rows.to_arrow()):
        assert (table.num_rows, table.schema.names) == (0, NAMES)
    assert list(empty.to_pandas().columns) == NAMES
    assert empty.to_polars().columns == NAMES
    assert tables.to_arrow([], ProgramTrade).num_rows == 0
    with pytest.raises(ValueError, match="no rows, and no class of rows"):
        Rows().to_arrow()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"buy_amount": 2**63}, "buy_amount of row 1 is 9223372036854775808"),
        ({"turnover_share": Decimal("1.005")}, "turnover_share of row 1 is 1.005"),
        ({"turnover_share": Decimal("1e17")}, "turnover_share of row 1 is 1E\\+17"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_an_error(page, change, problem):
    rows = [page.rows[0], attrs.evolve(page.rows[1], **change)]
    with pytest.raises(ValueError, match=problem):
        tables.to_arrow(rows)


def test_a_table_with_other_columns_or_values_is_refused(page):
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


def test_rows_are_a_picklable_list(page):
    assert isinstance(page.rows, list)
    assert page.rows == list(page.rows)
    assert pickle.loads(pickle.dumps(page.rows)) == page.rows
    assert pickle.loads(pickle.dumps(page.rows)).to_arrow().equals(page.rows.to_arrow())
    assert attrs.evolve(page, rows=list(page.rows)).rows.to_polars().height == len(page.rows)


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
def test_the_error_for_a_missing_package_names_its_extra(missing, method, extra):
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


def test_a_package_that_lacks_a_dependency_is_not_reported_as_a_missing_extra():
    program = (
        "from kiwoom_async.errors import require_extra\n"
        "with require_extra('arrow', 'pyarrow'):\n"
        "    import no_such_package_at_all\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510, S603
    assert "kiwoom-async[" not in run.stderr
    assert "no_such_package_at_all" in run.stderr
