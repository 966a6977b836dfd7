"""kiwoom-client: AsyncKiwoomAPI, the loop over its continuation, dicts of text."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiwoom_client import AsyncKiwoomAPI
from measured import APP_KEY, ROWS_KEY, SECRET_KEY, Pages, Walk, measure, request_body


@asynccontextmanager
async def open_pages(url: str) -> AsyncIterator[Walk]:
    """Open a client without a rate limit."""
    async with AsyncKiwoomAPI(APP_KEY, SECRET_KEY, base_url=url, rate_limit=None) as api:

        async def walk(market: str) -> Pages:
            more = {"cont_yn": "N", "next_key": ""}
            while more["cont_yn"]:
                answer = await api.stock_info.program_trading_by_stock(
                    **request_body(market), **more
                )
                yield answer[ROWS_KEY]
                last = answer["cont-yn"] != "Y"
                more = {"cont_yn": "" if last else "Y", "next_key": answer["next-key"]}

        yield walk


if __name__ == "__main__":
    measure(open_pages)
