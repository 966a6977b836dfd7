"""Walks of a client, as values to compare."""

from support.exchange import QUERY


async def walked_symbols(kiwoom, start=None):
    """Return the symbols of the rows of QUERY from the cursor `start` on."""
    return [row.symbol async for row in kiwoom.rows(QUERY, start=start)]
