"""Tasks that run as long as the hub does."""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


def start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run `work` as a task in a context of its own.

    The first socket starts the hub. What the hub does and logs is not that socket's, so
    it must not carry its request id.
    """
    return asyncio.create_task(work, context=contextvars.Context())


async def keep_running(job: Job) -> None:
    """Run `job` forever. If it fails or ends, run it again a second later."""
    while True:
        try:
            await job()
        except Exception:  # `project.outages` logs an outage of the database once
            logger.exception("The hub's %s failed", job.__qualname__)
        await asyncio.sleep(1)
