"""Rows of the program-trading requests as tables: types, units and values."""

import pyarrow as pa
import pytest
from support.family_queries import RECORDED, WHOLE, page_of, recorded_rows, sent_rows

from kiwoom_async.tables import rows_of, schema


@pytest.mark.parametrize("name", WHOLE)
def test_a_table_holds_every_value_and_gives_the_rows_back(name):
    rows = recorded_rows(name)
    table = page_of(RECORDED[name], sent_rows(name)).to_arrow()
    assert table.num_rows == len(rows)
    assert rows_of(table, type(rows[0])) == rows


def test_columns_have_types_units_and_korean_names():
    for name, column, kind, unit in [
        ("ka90003_official_20260701", "change_rate", pa.decimal128(18, 2), "percent"),
        ("ka90005_official_20260701", "time", pa.time32("s"), ""),
        ("ka90005_official_20260701", "kospi200", pa.decimal128(18, 2), "index points"),
        ("ka90005_official_20260701", "arbitrage_buy_quantity", pa.int64(), "thousand shares"),
        ("ka90007_official_20260604", "since", pa.date32(), None),
        ("ka90008_official_20260701", "buy_quantity", pa.int64(), "shares"),
        ("ka90010_official_20240625", "date", pa.date32(), ""),
        ("ka90013_official_20260630", "exchange", pa.string(), ""),
        ("ka90013_official_20260630", "price", pa.int64(), "won"),
    ]:
        field = schema(RECORDED[name].row_class).field(column)
        assert field.type == kind, (name, column)
        assert (field.metadata or {}).get(b"unit", b"").decode() == (unit or "")


def test_an_index_that_is_not_known_is_null():
    sent = [row | {"kospi200": "0", "basis": ""} for row in sent_rows("ka90005_official_20260701")]
    table = page_of(RECORDED["ka90005_official_20260701"], sent).to_arrow()
    assert table["kospi200"].null_count == table["basis"].null_count == 5
