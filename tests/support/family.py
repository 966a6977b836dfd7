"""The program-trading family beside ka90004 as a bare HTTP client sees it: paths, bodies, walks."""

from typing import Any

from support.bare_client import FRIDAY, BareClient

STOCK_INFO, MARKET_CONDITIONS = "/api/dostk/stkinfo", "/api/dostk/mrkcond"
PATHS = {
    "ka90003": STOCK_INFO,
    "ka90005": MARKET_CONDITIONS,
    "ka90006": MARKET_CONDITIONS,
    "ka90007": MARKET_CONDITIONS,
    "ka90008": MARKET_CONDITIONS,
    "ka90010": MARKET_CONDITIONS,
    "ka90013": MARKET_CONDITIONS,
}
ROWS_KEYS = {
    "ka90003": "prm_netprps_upper_50",
    "ka90005": "prm_trde_trnsn",
    "ka90006": "prm_trde_dfrt_remn_trnsn",
    "ka90007": "prm_trde_acc_trnsn",
    "ka90008": "stk_tm_prm_trde_trnsn",
    "ka90010": "prm_trde_trnsn",
    "ka90013": "stk_daly_prm_trde_trnsn",
}
# The whole body of a request: consolidated where that is a choice.
BODIES = {
    "ka90003": {"trde_upper_tp": "2", "amt_qty_tp": "1", "mrkt_tp": "P00101", "stex_tp": "3"},
    "ka90005": {
        "date": FRIDAY,
        "amt_qty_tp": "1",
        "mrkt_tp": "P001_AL01",
        "min_tic_tp": "1",
        "stex_tp": "3",
    },
    "ka90006": {"date": FRIDAY, "stex_tp": "3"},
    "ka90007": {"date": "20260601", "amt_qty_tp": "1", "mrkt_tp": "0", "stex_tp": "3"},
    "ka90008": {"amt_qty_tp": "1", "stk_cd": "005930_AL", "date": FRIDAY},
    "ka90010": {
        "date": FRIDAY,
        "amt_qty_tp": "1",
        "mrkt_tp": "P001_AL01",
        "min_tic_tp": "1",
        "stex_tp": "3",
    },
    "ka90013": {"amt_qty_tp": "1", "stk_cd": "005930_AL", "date": FRIDAY},
}


async def ask(
    client: BareClient, api_id: str, key: str = "", *, path: str = "", **changes: Any
) -> Any:
    """Request a page; `changes` of the body replace fields, None removes one."""
    body = BODIES.get(api_id, {}) | changes
    body = {name: value for name, value in body.items() if value is not None}
    headers = {"api-id": api_id, "authorization": f"Bearer {client.token}"}
    if key:
        headers |= {"cont-yn": "Y", "next-key": key}
    return await client.http.post(path or PATHS[api_id], json=body, headers=headers)


async def first_rows(client: BareClient, api_id: str, **changes: Any) -> list[dict[str, str]]:
    """Return the rows of the first page."""
    reply = await ask(client, api_id, **changes)
    assert reply.json()["return_code"] == 0, reply.text
    return reply.json()[ROWS_KEYS[api_id]]


async def walk(client: BareClient, api_id: str, **changes: Any) -> list[list[dict[str, str]]]:
    """Return the rows of every page."""
    pages, key = [], None
    while key != "":
        reply = await ask(client, api_id, key or "", **changes)
        assert reply.json()["return_code"] == 0, reply.text
        pages.append(reply.json()[ROWS_KEYS[api_id]])
        key = reply.headers["next-key"]
        assert reply.headers["cont-yn"] == ("Y" if key else "N")
        assert reply.headers["api-id"] == api_id
    return pages
