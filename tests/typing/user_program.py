"""A user's program with every public name, for the type checkers: mypy --strict and pyright."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date, datetime, time
from decimal import Decimal

import httpx

from kiwoom_async import (
    ApiError,
    Audit,
    AuthError,
    BlockedError,
    Check,
    ContinuationError,
    Cursor,
    DecodeError,
    Environment,
    Exchange,
    Failure,
    Interval,
    KiwoomClient,
    KiwoomError,
    Market,
    Page,
    PriceMove,
    ProgramAmountRanking,
    ProgramAmountRankingQuery,
    ProgramArbitrageDaily,
    ProgramArbitrageDailyQuery,
    ProgramMarketCumulative,
    ProgramMarketCumulativeQuery,
    ProgramMarketDaily,
    ProgramMarketDailyQuery,
    ProgramMarketIntraday,
    ProgramMarketIntradayQuery,
    ProgramQuantityRanking,
    ProgramQuantityRankingQuery,
    ProgramStockDaily,
    ProgramStockDailyQuery,
    ProgramStockIntraday,
    ProgramStockIntradayQuery,
    ProgramTrade,
    ProgramTradeQuery,
    ProgramTradeTotals,
    PublishedRequest,
    RateLimited,
    Reply,
    Side,
    TransportError,
    TransportTimeout,
    Walk,
    __version__,
    published_requests,
)
from kiwoom_async.sandbox import Arrival, Fault, Sandbox, serve

queries = [
    ProgramTradeQuery(date(2026, 11, 20), market, venue) for market in Market for venue in Exchange
]


def show(trade: ProgramTrade) -> str:
    move: PriceMove | None = trade.move
    price: int | None = trade.price
    share: Decimal = trade.turnover_share
    won: int = trade.net_buy_amount * 1_000_000 + trade.change
    return f"{trade.stock_code} {trade.date} {trade.market} {move} {price} {share} {won}"


def first(page: Page) -> int:
    return page.number


def second(page: Page[ProgramTrade]) -> ProgramTrade:
    return page.rows[1]


def audit(
    walk: Walk[ProgramTrade, ProgramTradeTotals],
) -> int:
    checks: tuple[Check, ...] = walk.audit.checks
    audit: Audit = walk.audit
    return audit.rows + sum(int(check.difference or 0) for check in checks)


async def walk_everything(
    app_key: str, secret_key: str, transport: httpx.AsyncBaseTransport
) -> None:
    async with KiwoomClient(
        app_key,
        secret_key,
        environment=Environment.MOCK,
        base_url=None,
        requests_per_second=0.5,
        attempts=2,
        timeout=20,
        transport=transport,
    ) as kiwoom:
        query = ProgramTradeQuery("20261120", Market.KOSPI, Exchange.KRX)
        async with aclosing(kiwoom.rows(query)) as rows:
            async for trade in rows:
                print(show(trade), __version__)
        start = (await kiwoom.page(query)).next
        generator: AsyncGenerator[ProgramTrade, None] = kiwoom.rows(query, start=start)
        await generator.aclose()
        saved = ""
        async for page in kiwoom.pages(query):
            market: Market = page.query.market
            totals: ProgramTradeTotals = page.totals
            print(
                market,
                totals.buy_amount,
                totals.total_6,
                page.blank_rows,
                first(page),
                second(page),
            )
            saved = str(page.next)
        page = await kiwoom.page(query, Cursor.parse(saved))
        following: Cursor | None = page.next
        walk = await kiwoom.collect(query, start=following)
        trades: list[ProgramTrade] = walk.rows
        print(audit(walk), walk.totals.net_buy_amount, trades, walk.audit.findings)
        expires: datetime = await kiwoom.token_expires()
        environment: Environment = kiwoom.environment
        print(expires, environment, kiwoom.base_url, kiwoom.requests_per_second)
        await kiwoom.revoke_token()


async def fan_out(kiwoom: KiwoomClient) -> list[ProgramTrade]:
    async with kiwoom.merge(queries) as pages:
        async for page in pages:
            print(page.query.exchange, page.rows[0].symbol)
    async with kiwoom.merge(iter(queries), concurrency=2, on_error="deliver") as items:
        async for item in items:
            if isinstance(item, Failure):
                print(
                    item.query.market, item.error.code if isinstance(item.error, ApiError) else ""
                )
                resume: Cursor = item.cursor
                print(resume)
            else:
                print(item.number, item.totals.buy_amount)
    async with kiwoom.merge(queries) as pages:
        return [trade async for trade in pages.rows()]


async def call(kiwoom: KiwoomClient) -> list[str]:
    stock = {"stk_cd": "005930"}
    reply: Reply = await kiwoom.call("ka10081", stock | {"base_dt": "20261120"})
    while reply.next is not None and not reply.restarted:
        following: Cursor = reply.next
        reply = await kiwoom.call("ka10081", stock | {"base_dt": "20261120"}, cursor=following)
    await kiwoom.call("ka10001", stock, path="/api/dostk/stkinfo")
    chart: list[PublishedRequest] = [each for each in published_requests("차트") if not each.trades]
    return [reply.body["return_msg"], *(each.korean_name + each.path for each in chart)]


async def walk_the_family(kiwoom: KiwoomClient) -> None:
    kospi = Market.KOSPI, Exchange.KRX
    async for ranked in kiwoom.rows(ProgramAmountRankingQuery(*kospi, side=Side.SELL)):
        by_amount: ProgramAmountRanking = ranked
        million_won: int = by_amount.net_buy_amount
        print(by_amount.rank, by_amount.stock_code, million_won, by_amount.change_rate)
    async for counted in kiwoom.rows(ProgramQuantityRankingQuery(Market.KOSDAQ, Exchange.NXT)):
        by_quantity: ProgramQuantityRanking = counted
        shares: int = by_quantity.net_buy_quantity
        print(by_quantity.rank, shares)
    intraday = await kiwoom.page(ProgramMarketIntradayQuery(*kospi, interval=Interval.TICK))
    minute: ProgramMarketIntraday = intraday.rows[0]
    at: time = minute.time
    index: Decimal | None = minute.kospi200
    print(at, index, minute.non_arbitrage_net_buy_quantity)
    arbitrage = await kiwoom.collect(ProgramArbitrageDailyQuery("2026-11-20", Exchange.KRX))
    turnover: list[ProgramArbitrageDaily] = arbitrage.rows
    print(turnover[0].arbitrage_buy_amount_change, arbitrage.totals)
    sums = await kiwoom.collect(
        ProgramMarketCumulativeQuery(date(2026, 11, 2), *kospi),
        stop_when=lambda row: row.date < date(2026, 11, 10),
    )
    summed: ProgramMarketCumulative = sums.rows[0]
    since: date = summed.since
    print(since, summed.total_cumulative_net_buy_amount)
    async for tick in kiwoom.rows(ProgramStockIntradayQuery("005930_AL")):
        stock_now: ProgramStockIntraday = tick
        venue: Exchange = stock_now.exchange
        print(stock_now.time, venue, stock_now.net_buy_quantity_change)
    async for market_day in kiwoom.rows(ProgramMarketDailyQuery("20261120", *kospi)):
        day_of_market: ProgramMarketDaily = market_day
        print(day_of_market.date, day_of_market.basis, day_of_market.total_net_buy_amount)
    async for stock_day in kiwoom.rows(ProgramStockDailyQuery("005930", until="2026-11-20")):
        day_of_stock: ProgramStockDaily = stock_day
        price: int | None = day_of_stock.price
        print(day_of_stock.symbol, day_of_stock.date, price, day_of_stock.balance_quantity)


async def say_what_went_wrong(kiwoom: KiwoomClient) -> Cursor | None:
    resume: Cursor | None = None
    try:
        await kiwoom.collect(queries[0])
    except RateLimited as error:
        print(error.limit, error.retry_after)
    except AuthError as error:
        print(error.code)
    except ApiError as error:
        print(error.code, error.return_code, error.message, error.api_id)
    except BlockedError as error:
        print(error.status, error.excerpt)
    except DecodeError as error:
        print(error.problems)
    except (ContinuationError, TransportTimeout, TransportError) as error:
        resume = error.cursor
    except KiwoomError as error:
        print(error.query, error.cursor, error.page, error.attempts)
    return resume


async def rehearse() -> list[Arrival]:
    exchange = Sandbox(requests_per_second=None, faults=[Fault("rate_limit", call=2)])
    async with KiwoomClient.sandbox(exchange) as kiwoom, KiwoomClient.from_env() as real:
        await say_what_went_wrong(kiwoom)
        await real.aclose()
    serve(exchange, port=8080)
    return list(exchange.arrivals)
