"""Walks of a client, as values to compare."""

from contextlib import aclosing

from support.exchange import QUERY

from kiwoom_async import Failure, WalkComplete


async def walked_symbols(kiwoom, start=None):
    """Return the symbols of the rows of QUERY from the cursor `start` on."""
    return [row.symbol async for row in kiwoom.rows(QUERY, start=start)]


async def watch_rounds(kiwoom, queries, rounds, **options):
    """Return every item that a watch yields in so many rounds."""
    items, left = [], rounds * len(queries)
    async with aclosing(kiwoom.watch(queries, **options)) as watch:
        async for item in watch:
            items.append(item)
            left -= isinstance(item, WalkComplete | Failure)
            if not left:
                return items
    raise AssertionError("a watch does not end")
