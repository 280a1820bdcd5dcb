"""Deadlines of connections, as timers of asyncio.

To move a call forward, Twisted searches all pending calls. With thousands of
connections that takes most of the server's time. asyncio finds a call in logarithmic
time.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any


class Deadline:
    """A call after some seconds. It has the methods that Twisted's `TimeoutMixin` and
    `HTTPChannel` use of a `DelayedCall`."""

    __slots__ = ("_call", "_handle")

    def __init__(
        self, seconds: float, call: Callable[..., Any], *arguments: Any
    ) -> None:
        self._call = partial(call, *arguments)
        self._handle = self._start(seconds)

    def _start(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._call)

    def reset(self, seconds: float) -> None:
        """Call this many seconds from now instead."""
        self._handle.cancel()
        self._handle = self._start(seconds)

    def cancel(self) -> None:
        self._handle.cancel()
