"""Start a coroutine now; make a task of it only if it has to wait.

Daphne takes a frame without waiting, so a broadcast to a thousand sockets would make
a thousand tasks for nothing. (Python 3.12 has `eager_start`; we start at 3.11.)
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any


def start(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task | None:
    """Run `coroutine` to its first wait. None if it ended, else the task of the rest.

    Raises what the coroutine raises before it waits.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    task = asyncio.ensure_future(_finish(coroutine, awaited))
    # A task that is cancelled before its first step would leave it hanging.
    task.add_done_callback(lambda _: coroutine.close())
    return task


async def _finish(coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _rest(coroutine, awaited)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], awaited: Any) -> Generator:
    while True:
        try:
            sent = yield awaited
        except BaseException as error:  # cancellation and failures are the coroutine's
            step = coroutine.throw, error
        else:
            step = coroutine.send, sent
        try:
            awaited = step[0](step[1])
        except StopIteration:
            return
