"""Fan-out: many walks at once, one stream of what they bring. Knows nothing of Kiwoom.

Memory is bounded by one item for each walk under way, tasks by the number of those walks.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Generic, Self, TypeVar

import anyio
from anyio.abc import ObjectReceiveStream

JobT = TypeVar("JobT")
ItemT = TypeVar("ItemT")


class Stream(Generic[ItemT]):
    """The items of all walks; ends normally only when every walk has been complete."""

    def __init__(self, items: ObjectReceiveStream[ItemT]) -> None:
        self._items = items
        self.complete = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        try:
            return await self._items.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            # Whoever reads in another task than the merge's must not take its end for completion.
            if not self.complete:
                raise RuntimeError("this merge ended before its walks were complete") from None
        raise StopAsyncIteration


class _Walks(Generic[JobT, ItemT]):
    """The background half: jobs handed to workers, their items to the stream."""

    def __init__(
        self, jobs: AsyncGenerator[JobT, None], walk: Callable[[JobT], AsyncGenerator[ItemT, None]]
    ) -> None:
        self._jobs = jobs
        self._walk = walk
        self._jobs_in, self._jobs_out = anyio.create_memory_object_stream[JobT](0)
        self._items_in, self._items_out = anyio.create_memory_object_stream[ItemT](1)
        self.stream = Stream(self._items_out)

    def close(self) -> None:
        for end in (self._jobs_in, self._jobs_out, self._items_in, self._items_out):
            end.close()

    async def run(self, concurrency: int) -> None:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._feed)
                for _ in range(concurrency):
                    group.start_soon(self._work)
        except BaseExceptionGroup as failed:
            first = failed.exceptions[0]
        else:
            self.stream.complete = True
            self._items_in.close()
            return
        raise first

    async def _feed(self) -> None:
        async with aclosing(self._jobs):
            async for job in self._jobs:
                await self._jobs_in.send(job)
        self._jobs_in.close()

    async def _work(self) -> None:
        async for job in self._jobs_out:
            async with aclosing(self._walk(job)) as items:
                async for item in items:
                    await self._items_in.send(item)


@asynccontextmanager
async def fan_out(
    jobs: AsyncGenerator[JobT, None],
    walk: Callable[[JobT], AsyncGenerator[ItemT, None]],
    concurrency: int,
) -> AsyncIterator[Stream[ItemT]]:
    """A stream of the items of every job's walk, `concurrency` walks at a time.

    Items of one walk come in order; `jobs` are taken as walks become free. The first exception of
    the caller's block, of a walk or of `jobs` comes out as it was raised; all under way ends.
    """
    walks = _Walks(jobs, walk)
    in_block: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(walks.run, concurrency)
            try:
                yield walks.stream
            except BaseException as error:
                in_block = error
                raise
            group.cancel_scope.cancel()
    except BaseExceptionGroup as failed:
        # A group is our scaffolding: `except KeyError` around a merge must work.
        raised: tuple[BaseException, ...] = failed.exceptions
        bare = next((error for error in raised if error is in_block), raised[0])
        for other in raised:
            if other is not bare:
                bare.add_note(f"at the same time: {other!r}")
    else:
        return
    finally:
        # Not before everything has ended: a reader would take it for the end of the walks.
        walks.close()
    raise bare
