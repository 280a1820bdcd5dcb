"""Pages on a fixed number of threads, each with a database connection that lasts.

Django gives every request under ASGI a thread of its own, and with it a new connection:
a burst of requests opens as many of both as it has members. Here a request waits in the
event loop, which costs nothing, until one of a few threads is free, and keeps it until
it is answered: whatever it does in the database, it does over one connection.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.http import HttpResponse

from realtime.responses import respond

RETRY_AFTER_S = 5

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Lease(Executor):
    """One of the threads, for as long as a request takes.

    It is asked for with the first piece of work: a visitor who sends a form slowly
    keeps nobody from being served.
    """

    def __init__(self, threads: "Threads") -> None:
        self._threads = threads
        self._thread: ThreadPoolExecutor | None = None
        self._work: deque[tuple] = deque()  # until there is a thread

    def submit(self, function: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """Called by the event loop only."""
        piece = (Future(), function, args, kwargs)
        if self._thread:
            self._thread.submit(_do, *piece)
        else:
            self._work.append(piece)
            if len(self._work) == 1:
                self._threads.ask(self)
        return piece[0]

    def take(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        while self._work:
            thread.submit(_do, *self._work.popleft())

    def end(self) -> None:
        """The request is answered, or its visitor has gone."""
        if self._thread:
            self._threads.give_back(self._thread)
        elif self._work:
            self._threads.forget(self)


def _do(future: Future, function: Callable, args: tuple, kwargs: dict) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function(*args, **kwargs))
    except BaseException as error:  # whatever it is belongs to who waits for it
        future.set_exception(error)


class Threads:
    """`size` threads for one event loop; who finds none free waits in a line."""

    def __init__(self, size: int) -> None:
        self.size = size
        # The newest first: what is not needed is not started, and not connected.
        self._free = [ThreadPoolExecutor(1, f"page-{n}") for n in range(size)]
        self._waiting: dict[Lease, None] = {}

    @property
    def busy(self) -> int:
        return self.size - len(self._free)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease]:
        lease = Lease(self)
        try:
            yield lease
        finally:
            lease.end()

    def ask(self, lease: Lease) -> None:
        if self._free:
            lease.take(self._free.pop())
        else:
            self._waiting[lease] = None

    def give_back(self, thread: ThreadPoolExecutor) -> None:
        if self._waiting:
            first = next(iter(self._waiting))
            del self._waiting[first]
            first.take(thread)
        else:
            self._free.append(thread)

    def forget(self, lease: Lease) -> None:
        self._waiting.pop(lease, None)


class ThreadedPages:
    """An ASGI application whose synchronous parts run on `threads`.

    With `line` requests waiting already it is too late to wait in it: the answer is
    503 at once, which proxies and programs know to mean "later".
    """

    def __init__(self, pages: Application, threads: Threads, line: int) -> None:
        self._pages, self._threads, self._line = pages, threads, line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._threads.waiting >= self._line:
            await _refuse(send)
            return
        async with self._threads.lease() as lease:
            async with ThreadSensitiveContext(executor=lease):
                await self._pages(scope, receive, send)


async def _refuse(send: Send) -> None:
    response = HttpResponse("Too many visitors at once. Please try again.", status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    headers = [(k.lower().encode(), v.encode()) for k, v in response.items()]
    await respond(send, response.status_code, headers, response.content)
