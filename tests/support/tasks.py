"""The tasks of the running event loop."""

import asyncio

import trio


def count_tasks() -> int:
    """Return the number of tasks that are alive, on asyncio and trio."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return trio.lowlevel.current_statistics().tasks_living
