"""Pages of the program-trading requests: recorded bodies, decoded by the engine under test."""

import json

from support.decoding import decode_page
from support.recorded import recorded

from kiwoom_async import (
    Exchange,
    Market,
    ProgramAmountRankingQuery,
    ProgramArbitrageDailyQuery,
    ProgramMarketCumulativeQuery,
    ProgramMarketDailyQuery,
    ProgramMarketIntradayQuery,
    ProgramStockDailyQuery,
    ProgramStockIntradayQuery,
    Side,
    Walk,
)
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import first_cursor

KOSPI = Market.KOSPI, Exchange.KRX
# What was asked for each recorded body, as far as it is known.
RECORDED = {
    "ka90003_official_20260701": ProgramAmountRankingQuery(*KOSPI, side=Side.SELL),
    "ka90003_chunsam_20260710_kospi_net_buy_amount": ProgramAmountRankingQuery(*KOSPI),
    "ka90005_official_20260701": ProgramMarketIntradayQuery(*KOSPI),
    "ka90005_chunsam_20260724_subset": ProgramMarketIntradayQuery(*KOSPI),
    "ka90005_hogaops_20260805_subset": ProgramMarketIntradayQuery(*KOSPI),
    "ka90006_official_20260526": ProgramArbitrageDailyQuery("2026-05-26", Exchange.KRX),
    "ka90007_official_20260604": ProgramMarketCumulativeQuery("2026-05-28", *KOSPI),
    "ka90008_official_20260701": ProgramStockIntradayQuery("005930"),
    "ka90008_chunsam_20260807_005930_AL": ProgramStockIntradayQuery("005930_AL"),
    "ka90008_chunsam_20260807_000660_AL": ProgramStockIntradayQuery("000660_AL"),
    "ka90010_official_20240625": ProgramMarketDailyQuery("2024-06-27", *KOSPI),
    "ka90010_official_20241121": ProgramMarketDailyQuery("2024-11-21", *KOSPI),
    "ka90010_hogaops_20260805_subset": ProgramMarketDailyQuery("2026-08-05", *KOSPI),
    "ka90013_official_20260630": ProgramStockDailyQuery("005930", "2026-06-30"),
}
WHOLE = [name for name in RECORDED if not name.endswith("_subset")]


def sent_rows(name):
    """Return the rows of a recorded body as they were sent."""
    return recorded(name)[RECORDED[name].rows_key]


def page_of(query, rows, headers=None):
    """Return the page that is decoded from these rows."""
    body = {query.rows_key: rows, "return_code": 0, "return_msg": "정상적으로 처리되었습니다"}
    request = Request(query.api_id, "/", {}, b"", ())
    headers = {"api-id": query.api_id, "cont-yn": "N"} | (headers or {})
    answer = Response(request, 200, headers, json.dumps(body).encode())
    return decode_page(answer, query, first_cursor(query))


def recorded_rows(name):
    """Return the rows of a recorded body, decoded."""
    return page_of(RECORDED[name], sent_rows(name)).rows


def first_row(name, **changes):
    """Return the first row of a recorded body with these changes, decoded."""
    (row,) = page_of(RECORDED[name], [sent_rows(name)[0] | changes]).rows
    return row


def findings(name, number=0, **changes):
    """Return what the audit finds in a recorded body with these changes of one row."""
    rows = sent_rows(name)
    rows[number] |= changes
    return Walk.from_pages(RECORDED[name], [page_of(RECORDED[name], rows)]).audit.findings
