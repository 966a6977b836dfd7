"""Coverage-guided fuzzing of the functions that decode answers; run on demand.

`pip install atheris`, then `python tests/protocol/fuzz_decode.py -max_total_time=60`. Any bytes,
with any status and headers, must be decoded to a page or a token, or raise a KiwoomError. The
corpus begins with the recorded bodies and is not kept.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["kiwoom_async"]):
    from kiwoom_async import Exchange, KiwoomError, Market, ProgramTradeQuery
    from kiwoom_async._protocol.credentials import decode_token
    from kiwoom_async._protocol.messages import Request, Response, redact
    from kiwoom_async._protocol.pages import decode_page, first_cursor
    from kiwoom_async._protocol.query import Walk

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
REQUEST = Request("ka90004", "/", {}, b"", ("a-token-of-some-length",))
STATUSES = (200, 200, 200, 204, 307, 400, 429, 500, 503)


def decode_input(data: bytes) -> None:
    """Decode an answer made of a status, headers, and the rest of the data as its body."""
    provider = atheris.FuzzedDataProvider(data)
    status = STATUSES[provider.ConsumeIntInRange(0, len(STATUSES) - 1)]
    cont, key = provider.PickValueInList(["Y", "N", "", "y"]), provider.ConsumeUnicode(8)
    headers = {"cont-yn": cont, "next-key": key, "retry-after": key}
    body = provider.ConsumeBytes(provider.remaining_bytes())
    response = redact(Response(REQUEST, status, headers, body), ("an-app-key-of-some-length",))
    for on_undecoded in ("raise", "deliver"):
        try:
            page = decode_page(response, QUERY, first_cursor(QUERY), on_undecoded=on_undecoded)
            str(Walk.from_pages(QUERY, [page]).audit)
        except KiwoomError as error:
            str(error)
    try:
        decode_token(response)
    except KiwoomError as error:
        str(error)


def main() -> None:
    """Fuzz, starting from the recorded bodies."""
    with TemporaryDirectory() as corpus:
        for recorded in (Path(__file__).parent.parent / "wire").glob("*.json"):
            (Path(corpus) / recorded.name).write_bytes(b"\0\0" + recorded.read_bytes())
        atheris.Setup([*sys.argv, corpus], decode_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
