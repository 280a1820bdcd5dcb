"""The hub's queries, on connections and threads of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

THREADS = 2
AWAY = (
    OperationalError,
    InterfaceError,
)  # what a query raises while the database is away

P = ParamSpec("P")
T = TypeVar("T")


class Unavailable(Exception):
    """The database does not answer, or not in time."""


class Database:
    """Runs queries in threads whose connections stay open."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hub")

    async def ask(self, query: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `query` returns. Raises one of AWAY if the database is away."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: _run(query, *args, **kwargs)
        )

    async def close(self) -> None:
        """End the threads and close their connections."""
        barrier = threading.Barrier(THREADS)
        await asyncio.gather(*(self.ask(_disconnect, barrier) for _ in range(THREADS)))
        self._threads.shutdown()


def _run(query: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run the query and drop the connection if it is broken.

    A connection that broke since the last query says so only now. The query only reads,
    so it gets a second try on a new connection.
    """
    was_open = connection.connection is not None
    try:
        return query(*args, **kwargs)
    except AWAY:
        connection.close()
        if not was_open:
            raise
    return _run(query, *args, **kwargs)


def _disconnect(barrier: threading.Barrier) -> None:
    """Wait until each thread is here, so that each closes its own connection."""
    barrier.wait()
    connection.close()
