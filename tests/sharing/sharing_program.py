"""A program that shares an app key; test_sharing_processes.py runs several.

    python sharing_program.py ROLE BASE_URL OPTIONS [COPIES]

OPTIONS is JSON: `place` as for the command line, `outage` (options of SharedFiles or SharedRedis),
and the arguments of the role. Prints one line of JSON: the result of the role, or the text of the
error. COPIES forks so many processes, which start within milliseconds because everything is
imported by then; each prints a line.
"""

import json
import os
import random
import sys

import anyio

from kiwoom_async import (
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    SlotWaited,
)
from kiwoom_async.sharing import SharedFiles, SharedRedis

QUERIES = [
    ProgramTradeQuery(day, market, exchange)
    for day in ("2026-11-20", "2026-11-19")
    for market in Market
    for exchange in Exchange
]


def sharing(place: str, **options):
    kind, _, directory = place.partition(":")
    return SharedFiles(directory, **options) if kind == "files" else SharedRedis(place, **options)


async def walk(kiwoom: KiwoomClient, _: list[float], walks: int) -> object:
    """Make so many walks at once; return the numbers of all rows and of different rows."""
    async with kiwoom.merge(QUERIES[:walks]) as pages:
        symbols = [(page.query, row.symbol) async for page in pages for row in page.rows]
    return {"rows": len(symbols), "different": len(set(symbols))}


async def ask(kiwoom: KiwoomClient, waits: list[float], calls: int) -> object:
    """Make interactive calls at random intervals; return how long each waited for its slot."""
    await kiwoom.token_expires()
    for _ in range(calls):
        await anyio.sleep(random.uniform(0.2, 1.0))
        await kiwoom.page(QUERIES[0])
    return waits


async def token(kiwoom: KiwoomClient, _: list[float]) -> object:
    """Get a token; return its expiry."""
    return str(await kiwoom.token_expires())


ROLES = {"walk": walk, "ask": ask, "token": token}


async def main(role: str, base_url: str, place: str, outage: dict, **arguments: int) -> None:
    waits: list[float] = []

    def record_wait(event: object) -> None:
        if isinstance(event, SlotWaited) and event.query is not None:
            waits.append(event.seconds)

    client = KiwoomClient(
        "the-app-key",
        "the-secret-key",
        base_url=base_url,
        sharing=sharing(place, **outage),
        on_event=record_wait,
    )
    async with client as kiwoom:
        try:
            result = await ROLES[role](kiwoom, waits, **arguments)
        except KiwoomError as error:
            result = f"{type(error).__name__}: {error}"
    # A single write: copies share a pipe.
    sys.stdout.write(f"{json.dumps(result)}\n")


def fork_copies(count: int) -> None:
    """Return in each of `count` children; exit in the parent after all of them."""
    children = []
    for _ in range(count):
        if not (child := os.fork()):
            random.seed()
            return
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    raise SystemExit(max(codes, key=abs))


if __name__ == "__main__":
    if len(sys.argv) > 4:
        fork_copies(int(sys.argv[4]))
    backend = random.choice(["asyncio", "trio"])
    options = json.loads(sys.argv[3])
    anyio.run(lambda: main(sys.argv[1], sys.argv[2], **options), backend=backend)
