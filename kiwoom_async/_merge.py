"""Fan-out: many walks at once, one stream of what they bring. Knows nothing of Kiwoom.

Memory is bounded by one item for each walk under way, tasks by the number of those walks.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream

JobT = TypeVar("JobT")
ItemT = TypeVar("ItemT")


@asynccontextmanager
async def fan_out(
    jobs: AsyncGenerator[JobT, None],
    walk: Callable[[JobT], AsyncGenerator[ItemT, None]],
    concurrency: int,
) -> AsyncIterator[ObjectReceiveStream[ItemT]]:
    """A stream of the items of every job's walk, `concurrency` walks at a time.

    Items of one walk come in order; `jobs` are taken as walks become free. An exception comes out
    as it was raised, in the caller's block, in a walk or in `jobs`; all that is under way ends.
    """
    jobs_in, jobs_out = anyio.create_memory_object_stream[JobT](0)
    items_in, items_out = anyio.create_memory_object_stream[ItemT](1)

    async def work(mine: ObjectReceiveStream[JobT], bringing: ObjectSendStream[ItemT]) -> None:
        async with mine, bringing:
            async for job in mine:
                async with aclosing(walk(job)) as items:
                    async for item in items:
                        await bringing.send(item)

    try:
        async with items_out, anyio.create_task_group() as group:
            async with jobs_out, items_in:
                for _ in range(concurrency):
                    group.start_soon(work, jobs_out.clone(), items_in.clone())
            group.start_soon(_feed, jobs, jobs_in)
            yield items_out
            group.cancel_scope.cancel()
    except BaseExceptionGroup as failed:
        # A group of one is our scaffolding: `except KeyError` around a merge must work.
        bare = failed.exceptions[0] if len(failed.exceptions) == 1 else failed
    else:
        return
    raise bare


async def _feed(jobs: AsyncGenerator[JobT, None], workers: ObjectSendStream[JobT]) -> None:
    async with workers, aclosing(jobs):
        async for job in jobs:
            await workers.send(job)
