"""An asyncio event loop in virtual time, so that sleeping in tests costs nothing."""

import asyncio
import selectors
from typing import Any


class _VirtualTimeSelector(selectors.DefaultSelector):
    """A selector that advances its clock instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready or super().select(None if timeout is None else 0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock advances only when every task sleeps."""

    def __init__(self) -> None:
        self._virtual_selector = _VirtualTimeSelector()
        super().__init__(self._virtual_selector)

    def time(self) -> float:
        return self._virtual_selector.now
