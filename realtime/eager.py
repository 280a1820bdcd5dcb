"""Starts a coroutine at once, and makes a task only if it has to wait.

Daphne takes a frame without waiting, so a broadcast to a thousand sockets would create
a thousand tasks for nothing. (Python 3.12 has `eager_start`; the shop supports 3.11.)
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any


def start(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run a coroutine until it waits. Returns a task for the rest, or None if it has
    ended. Raises what the coroutine raises before it waits.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    task = asyncio.ensure_future(_finish(coroutine, awaited))
    # If the task is cancelled before its first step, nothing else closes it.
    task.add_done_callback(lambda _: coroutine.close())
    return task


async def _finish(coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _rest(coroutine, awaited)


@types.coroutine
def _rest(
    coroutine: Coroutine[Any, Any, None], awaited: Any
) -> Generator[Any, Any, None]:
    while True:
        step: Callable[[], Any]
        try:
            result = yield awaited
        except BaseException as error:  # the coroutine's: failures and cancellation
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, result)
        try:
            awaited = step()
        except StopIteration:
            return
