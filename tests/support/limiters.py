"""Calls by a rate limiter, without a client around it."""

import anyio


async def make_call(limiter, priority, call_seconds=0.0):
    """Make a call that is answered after so long; return when it was sent."""
    async with limiter.acquire(priority):
        sent_at = anyio.current_time()
        await anyio.sleep(call_seconds)
    return sent_at
