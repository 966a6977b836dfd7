"""One of several programs with the same app key; run by test_sharing_processes.py, in a process.

    python sharing_program.py ROLE BASE_URL OPTIONS [COPIES]

OPTIONS is JSON: `place` as for the command line, `when_away`, and what the role takes.
Prints one line of JSON at the end; an error of the library is printed as its text. COPIES are
processes, too, which begin within some milliseconds, because everything is imported by then.
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
    """So many walks at once; the rows of each, once."""
    async with kiwoom.merge(QUERIES[:walks]) as pages:
        symbols = [(page.query, row.symbol) async for page in pages for row in page.rows]
    return {"rows": len(symbols), "different": len(set(symbols))}


async def ask(kiwoom: KiwoomClient, waits: list[float], calls: int) -> object:
    """So many interactive calls, now and then; how long each waited for its slot."""
    await kiwoom.token_expires()
    for _ in range(calls):
        await anyio.sleep(random.uniform(0.2, 1.0))
        await kiwoom.page(QUERIES[0])
    return waits


async def token(kiwoom: KiwoomClient, _: list[float]) -> object:
    """A token."""
    return str(await kiwoom.token_expires())


ROLES = {"walk": walk, "ask": ask, "token": token}


async def main(role: str, base_url: str, place: str, when_away: dict, **options: int) -> None:
    waits: list[float] = []

    def hear(event: object) -> None:
        if isinstance(event, SlotWaited) and event.query is not None:
            waits.append(event.seconds)

    client = KiwoomClient(
        "the-app-key",
        "the-secret-key",
        base_url=base_url,
        sharing=sharing(place, **when_away),
        on_event=hear,
    )
    async with client as kiwoom:
        try:
            said = await ROLES[role](kiwoom, waits, **options)
        except KiwoomError as error:
            said = f"{type(error).__name__}: {error}"
    # In one piece: copies write to the same pipe.
    sys.stdout.write(f"{json.dumps(said)}\n")


def copy(how_many: int) -> None:
    """Go on in so many children; the parent ends when they have ended."""
    children = []
    for _ in range(how_many):
        if not (child := os.fork()):
            random.seed()
            return
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    raise SystemExit(max(codes, key=abs))


if __name__ == "__main__":
    if len(sys.argv) > 4:
        copy(int(sys.argv[4]))
    backend = random.choice(["asyncio", "trio"])
    facts = json.loads(sys.argv[3])
    anyio.run(lambda: main(sys.argv[1], sys.argv[2], **facts), backend=backend)
