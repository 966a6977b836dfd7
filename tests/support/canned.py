"""A server of canned pages, chosen by the continuation key that is asked for."""

from collections import Counter

import httpx
from support.recorded import recorded

ROWS = recorded("ka90004_rows_20260810_kospi_all")["stk_prm_trde_prst"]
TOKEN = {"token": "the-token", "expires_dt": "29991231235959", "return_code": 0}


def row(number, **changes):
    """Return a row of a stock of its own, without trades."""
    untraded = {"buy_cntr_amt": "0", "sel_cntr_amt": "0", "netprps_prica": "0"}
    untraded |= {"all_trde_rt": "+0.00", "stk_cd": f"{number:06}"}
    return {**ROWS[number % len(ROWS)], **untraded, **changes}


class CannedPages(httpx.AsyncBaseTransport):
    """Answers with `pages[key]`: rows, headers; `calls` counts the keys asked for.

    headers: a dict, or the next key as text, which is announced with `cont-yn: Y`; "" is the end.
    """

    def __init__(self, pages):
        self.pages = pages
        self.calls = Counter()

    async def handle_async_request(self, request):
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        key = request.headers.get("next-key", "")
        self.calls[key] += 1
        rows, headers = self.pages(key) if callable(self.pages) else self.pages[key]
        if isinstance(headers, str):
            more = "Y" if headers else "N"
            headers = {"api-id": "ka90004", "cont-yn": more, "next-key": headers}
        body = {"stk_prm_trde_prst": rows, "return_code": 0, "return_msg": "ok"}
        return httpx.Response(200, json=body, headers=headers)
