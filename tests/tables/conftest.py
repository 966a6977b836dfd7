"""A page with missing values, and a walk."""

import pytest
from support.exchange import small_sandbox
from support.program_trades import QUERY, decoded_page
from support.recorded import recorded

from kiwoom_async import KiwoomClient


@pytest.fixture
def page():
    """Return recorded rows, one of them without a price and one without a move."""
    body = recorded("ka90004_rows_20260810_kospi_all")
    rows = body["stk_prm_trde_prst"]
    rows += [rows[0] | {"stk_cd": "0156T0_AL", "cur_prc": ""}, rows[1] | {"flu_sig": "0"}]
    return decoded_page(body)


@pytest.fixture
async def walk():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        return await kiwoom.collect(QUERY)
