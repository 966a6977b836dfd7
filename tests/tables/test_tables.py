"""Rows as tables: the same values in Arrow, pandas and polars, and back again."""

import datetime as dt
import io
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from enum import Enum

import attrs
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.program_trades import decoded_page
from support.recorded import recorded

from kiwoom_async import (
    ProgramTrade,
    Rows,
    hundredths,
    tables,
    wire,
)
from kiwoom_async.notebook import html_of

pytestmark = pytest.mark.anyio
NAMES = [field.name for field in attrs.fields(ProgramTrade)]


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
    if hasattr(pd.DataFrame, "from_arrow"):  # since pandas 3
        assert pd.DataFrame.from_arrow(walk).shape == (len(walk.rows), len(NAMES))
    count = duckdb.sql("select count(*), sum(net_buy_amount) from walk").fetchall()
    assert count == [(len(walk.rows), sum(row.net_buy_amount for row in walk.rows))]


async def test_an_arrow_stream_can_be_requested_with_another_schema(walk):
    wider = pa.schema([pa.field(name, pa.large_string()) for name in ("symbol",)])
    table = walk.rows.to_arrow().select(["symbol"])
    assert pa.table(table, schema=wider).schema == wider
    assert walk.__arrow_c_stream__() is not None


def test_tables_without_rows_have_all_columns():
    empty = decoded_page(recorded("ka90004_blank_row"))
    assert empty.rows == []
    for table in (empty.to_arrow(), empty.rows.to_arrow()):
        assert (table.num_rows, table.schema.names) == (0, NAMES)
    assert list(empty.to_pandas().columns) == NAMES
    assert empty.to_polars().columns == NAMES
    assert tables.to_arrow([], ProgramTrade).num_rows == 0
    with pytest.raises(ValueError, match="no rows, and no class of rows"):
        Rows().to_arrow()


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


class Side(Enum):
    """A side of the book."""

    BUY = 1
    SELL = 2


@attrs.frozen
class Everything:
    """A row with a field of every kind."""

    text: str = attrs.field(metadata={"wire": "text"})
    rate: Decimal | None = attrs.field(metadata=wire("rate"))
    index: Decimal | None = attrs.field(metadata=wire("index", read=hundredths))
    ratio: float | None = attrs.field(metadata=wire("ratio"))
    halted: bool | None = attrs.field(metadata=wire("halted"))
    day: dt.date | None = attrs.field(metadata=wire("dt"))
    time: dt.time | None = attrs.field(metadata=wire("tm"))
    moment: dt.datetime | None = attrs.field(metadata=wire("at"))
    side: Side | None = attrs.field(metadata=wire("side", codes={Side.BUY: "1", Side.SELL: "2"}))


MOMENT = dt.datetime(2026, 11, 27, 19, 58, 12, tzinfo=dt.timezone(dt.timedelta(hours=9)))
EVERYTHING = [
    Everything("a", Decimal("1.2345"), Decimal("1338.85"), 0.5, True, MOMENT.date(),
               MOMENT.time(), MOMENT, Side.SELL),
    Everything("", None, None, None, None, None, None, None, None),
]  # fmt: skip


def test_a_field_of_every_kind_has_a_column():
    schema = tables.schema(Everything)
    assert [str(field.type) for field in schema] == [
        "string", "decimal128(38, 10)", "decimal128(18, 2)", "double", "bool", "date32[day]",
        "time32[s]", "timestamp[s, tz=Asia/Seoul]", "string",
    ]  # fmt: skip
    rows = Rows(EVERYTHING)
    assert tables.rows_of(rows.to_arrow(), Everything) == EVERYTHING
    assert tables.rows_of(rows.to_polars(), Everything) == EVERYTHING
    frame = rows.to_pandas()
    assert [frame[name][0] for name in ("rate", "index", "side")] == [
        Decimal("1.2345000000"), Decimal("1338.85"), "SELL",
    ]  # fmt: skip
    assert rows.to_dicts()[0] == {
        "text": "a", "rate": 1.2345, "index": 1338.85, "ratio": 0.5, "halted": True,
        "day": "2026-11-27", "time": "19:58:12", "moment": "2026-11-27T19:58:12+09:00",
        "side": "SELL",
    }  # fmt: skip
    assert '<td style="text-align:left">True</td>' in html_of("x", rows, Everything, [])


@attrs.frozen
class Lot:
    """A row whose constructor changes what it is given."""

    shares: int = attrs.field(metadata=wire("lots"), converter=lambda lots: lots * 10)
    _price: int = attrs.field(metadata=wire("price"))
    amount: int = attrs.field(init=False)

    @amount.default
    def _amount(self) -> int:
        return self.shares * self._price


def test_rows_come_back_as_they_were_without_their_constructor():
    rows = [Lot(3, 7), Lot(-1, 0)]
    assert (rows[0].shares, rows[0].amount) == (30, 210)
    assert tables.rows_of(tables.to_arrow(rows), Lot) == rows


def test_a_number_with_more_decimals_than_its_column_is_refused():
    rows = [attrs.evolve(EVERYTHING[0], rate=Decimal("0.00000000001"))]
    with pytest.raises(ValueError, match=r"rate of row 0 is 1E-11: .* cannot hold it"):
        tables.to_arrow(rows)


def test_a_class_with_a_field_that_no_column_holds_is_a_type_error():
    row = attrs.make_class("Row", {"tags": attrs.field(type=list)})
    with pytest.raises(TypeError, match=r"tags: got type <class 'list'>; a column can hold str"):
        tables.schema(row)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"rate": 0.5}, r"rate of row 1 is 0.5: a column of decimal128\(38, 10\)"),
        ({"ratio": "x"}, "ratio of row 1 is 'x': a column of double"),
        ({"halted": 1}, "halted of row 1 is 1: a column of bool"),
        ({"day": MOMENT}, r"day of row 1 is datetime.datetime.*: a column of date32"),
        ({"time": dt.time(9, 0, 0, 5)}, r"time of row 1 is .*: a column of time32"),
        ({"moment": MOMENT.date()}, r"moment of row 1 is .*: a column of timestamp"),
        ({"text": 5}, "text of row 1 is 5: a column of string"),
    ],
)
def test_a_value_that_a_column_would_cut_off_is_refused(changes, column):
    rows = [EVERYTHING[0], attrs.evolve(EVERYTHING[0], **changes)]
    with pytest.raises(ValueError, match=column + ".* cannot hold it; declare"):
        tables.to_arrow(rows)


def test_a_whole_number_column_takes_whole_numbers_only():
    row = attrs.make_class("Row", {"number": attrs.field(type=int)})
    for value in (Decimal("60.10"), 60.1, True):
        with pytest.raises(ValueError, match=r"number of row 0 is .*: a column of int64 cannot"):
            tables.to_arrow([row(value)])
