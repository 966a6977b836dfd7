"""A minimal HTTP client of the sandbox that shares no code with the library under test."""

import json

import httpx

FRIDAY = "20261120"
KOSPI, KOSDAQ = "P00101", "P10102"
ROWS_KEY = "stk_prm_trde_prst"
QUERY = {"dt": FRIDAY, "mrkt_tp": KOSPI, "stex_tp": "1"}
CREDENTIALS = {
    "grant_type": "client_credentials",
    "appkey": "APP-KEY-1",
    "secretkey": "SECRET-KEY-1",
}


class BareClient:
    """Sends token and page requests to a sandbox in this process."""

    def __init__(self, sandbox):
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=sandbox), base_url="http://sandbox"
        )
        self.token = ""

    async def log_in(self, **changes):
        """Request a token with these changes of CREDENTIALS; return the answer."""
        reply = await self.http.post("/oauth2/token", json=CREDENTIALS | changes)
        self.token = reply.json().get("token", "")
        return reply

    async def request_page(self, body=None, *, key=None, **headers):
        """Request a page of QUERY; return the answer.

        `body` is a dict of changes of QUERY, or the bytes to send. `headers` are added or replaced;
        None removes a header.
        """
        all_headers = {"api-id": "ka90004", "authorization": f"Bearer {self.token}"}
        if key is not None:
            all_headers |= {"cont-yn": "Y", "next-key": key}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(QUERY | (body or {}))
        sent = {name: value for name, value in all_headers.items() if value is not None}
        return await self.http.post("/api/dostk/stkinfo", content=content, headers=sent)


async def logged_in(sandbox):
    """Return a client that holds a token."""
    client = BareClient(sandbox)
    await client.log_in()
    return client


def inner_code(reply):
    """Return the four-digit code in `return_msg`, "" if there is none."""
    return reply.json()["return_msg"].partition("[")[2][:4]


def codes(reply):
    """Return `return_code` and the four-digit code in `return_msg`."""
    return reply.json()["return_code"], inner_code(reply)
