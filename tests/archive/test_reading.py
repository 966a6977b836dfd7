"""Reading an archive: by SQL, walk by walk, and by other libraries."""

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sandbox_archive import ALL_QUERIES, KOSPI, NEXT_DAY, SATURDAY, collect_rows, fetch, file_of

from kiwoom_async.archive import Archive

pytestmark = pytest.mark.anyio


async def test_pandas_polars_and_duckdb_read_the_files_as_one_table(archive):
    await fetch(archive)
    rows = [row for query in ALL_QUERIES[:3] for row in await collect_rows(query)]
    expected = {}
    for row in rows:
        key = str(row.date), str(row.market), str(row.exchange)
        expected[key] = expected.get(key, 0) + row.net_buy_amount
    by_pandas = (
        pd.read_parquet(archive.dataset)
        .groupby(["date", "market", "exchange"], observed=True)["net_buy_amount"]
        .sum()
    )
    assert by_pandas.to_dict() == expected
    by_polars = (
        pl.read_parquet(archive.dataset)
        .group_by("date", "market", "exchange")
        .agg(pl.col("net_buy_amount").sum())
    )
    assert {(str(day), *key): amount for day, *key, amount in by_polars.rows()} == expected
    sums = "select date, market, exchange, sum(net_buy_amount) from '{}' group by all"
    by_duckdb = duckdb.sql(sums.format(archive.dataset / "**" / "*.parquet")).fetchall()
    assert {(str(day), *key): amount for day, *key, amount in by_duckdb} == expected


async def test_parquet_columns_have_units_and_decimals(archive):
    await fetch(archive, [KOSPI])
    schema = pq.ParquetFile(file_of(archive, KOSPI)).schema_arrow
    assert schema.field("buy_amount").metadata[b"unit"] == b"million won"
    assert pa.types.is_decimal(schema.field("turnover_share").type)


def test_repr_has_the_path(archive):
    assert repr(archive) == f"<Archive {str(archive.path)!r}>"


async def test_sql_has_typed_tables_of_trades_and_walks(archive):
    await fetch(archive)
    table = archive.query("select * from trades order by date, market, symbol limit 1")
    types = {field.name: str(field.type) for field in table.schema}
    assert types == types | {
        "price": "int64", "turnover_share": "decimal128(18, 2)", "date": "date32[day]",
        "market": "string",
    }  # fmt: skip
    counted = archive.query("select market, count(*) as n from trades group by 1 order by 1")
    assert counted.to_pydict() == {"market": ["KOSDAQ", "KOSPI"], "n": [70, 240]}
    walks = archive.query("select state, rows from walks order by date, market desc").to_pydict()
    assert walks == {"state": ["complete"] * 3 + ["no data"], "rows": [120, 70, 120, 0]}


async def test_stock_code_is_the_symbol_without_the_exchange(archive):
    await fetch(archive, [NEXT_DAY])
    table = archive.query("select stock_code, symbol from trades where stock_code = '005930'")
    assert table.to_pylist() == [{"stock_code": "005930", "symbol": "005930_AL"}]


async def test_an_archive_without_files_has_the_same_columns(archive):
    await fetch(archive, [SATURDAY])
    empty = archive.query("select * from trades")
    await fetch(archive, [KOSPI])
    assert archive.query("select * from trades").schema == empty.schema


async def test_quotes_and_wildcards_in_the_folder_name(tmp_path):
    archive = Archive(tmp_path / "it's [1] * what?")
    await fetch(archive, [KOSPI])
    assert archive.query("select count(*) as n from trades").to_pydict() == {"n": [120]}
    assert archive.verify() == []


async def test_sql_refuses_a_parent_folder_named_like_a_partition(tmp_path):
    archive = Archive(tmp_path / "date=2020-01-01" / "a")
    archive.path.parent.mkdir()
    await fetch(archive, [KOSPI])
    with pytest.raises(ValueError, match="the folder name 'date=2020-01-01' as a partition"):
        archive.query("select 1")


async def test_bad_sql_is_a_value_error_and_local_variables_are_not_tables(archive):
    await fetch(archive, [KOSPI])
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(ValueError, match=r"SQL: .*syntax error"):
        archive.query("selec")
    with pytest.raises(ValueError, match="frame does not exist"):
        archive.query("select * from frame")
    assert len(frame) == 1
    assert archive.query("set threads = 1").num_rows == 0


async def test_reading_a_missing_archive_or_walk_raises_with_the_reason(archive):
    for read in (archive.entries, archive.verify, lambda: archive.query("select 1")):
        with pytest.raises(FileNotFoundError, match="holds no archive; a fetch makes one"):
            read()
    await fetch(archive, [SATURDAY])
    no_data = "2026-11-21 KOSPI CONSOLIDATED: got state 'no data'; expected 'complete'"
    with pytest.raises(LookupError, match=no_data):
        archive.read(SATURDAY)
    with pytest.raises(LookupError, match="2026-11-19 KOSPI KRX: not in the archive; fetch it"):
        archive.read(KOSPI)


async def test_sql_over_an_archive_with_missing_files_warns(archive):
    await fetch(archive)
    file_of(archive, KOSPI).unlink()
    expected = (
        r"rows are missing, as the files of 1 of 3 complete walks are: 2026-11-19 KOSPI KRX; "
        "fetch collects them again"
    )
    with pytest.warns(UserWarning, match=expected) as caught:
        table = archive.query("select count(*) as n from trades")
    assert caught[0].filename == __file__
    assert table.to_pydict() == {"n": [190]}
    with pytest.raises(FileNotFoundError, match="its file is missing; fetch collects it again"):
        archive.read(KOSPI)
    await fetch(archive)
    assert archive.query("select count(*) as n from trades").to_pydict() == {"n": [310]}
