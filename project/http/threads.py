"""Pages on a fixed number of threads, each with a database connection that lasts.

Django gives every request under ASGI a thread of its own, and with it a new connection:
a burst of requests opens as many of both as there are requests. Here requests queue in
the event loop, which costs nothing, until one of a few threads is free. A request keeps
its thread until it is answered, so it uses one connection to the database.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.http import HttpResponse

from realtime.responses import respond

RETRY_AFTER_S = 5

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Lease(Executor):
    """A thread that one request holds until it is answered.

    The request asks for a thread with its first piece of work, so a visitor who sends a
    form slowly does not hold one meanwhile.
    """

    def __init__(self, threads: "Threads") -> None:
        self._threads = threads
        self._thread: ThreadPoolExecutor | None = None
        self._work: deque[tuple] = deque()  # until there is a thread

    def submit(self, function: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """Run `function` in the thread. Only the event loop may call this."""
        future: Future = Future()
        piece = (future, function, args, kwargs)
        if self._thread:
            self._thread.submit(_do, *piece)
        else:
            self._work.append(piece)
            if len(self._work) == 1:
                self._threads.ask(self)
        return future

    def take(self, thread: ThreadPoolExecutor) -> None:
        """Hold `thread`, and start the work that has waited for it."""
        self._thread = thread
        while self._work:
            thread.submit(_do, *self._work.popleft())

    def end(self) -> None:
        """Return the thread, or leave the queue, as the request is over."""
        if self._thread:
            self._threads.give_back(self._thread)
        elif self._work:
            self._threads.forget(self)


def _do(future: Future, function: Callable, args: tuple, kwargs: dict) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function(*args, **kwargs))
    except BaseException as error:  # the caller gets it from the future
        future.set_exception(error)


class Threads:
    """`size` threads for one event loop, and the queue for them."""

    def __init__(self, size: int) -> None:
        self.size = size
        # The last one returned is used first, so that no more threads start and connect
        # than are needed.
        self._free = [ThreadPoolExecutor(1, f"page-{n}") for n in range(size)]
        self._queue: dict[Lease, None] = {}

    @property
    def busy(self) -> int:
        return self.size - len(self._free)

    @property
    def queue_length(self) -> int:
        return len(self._queue)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease]:
        """Give a request a thread when it needs one, and take it back at the end."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            lease.end()

    def ask(self, lease: Lease) -> None:
        """Give `lease` a free thread, or put it at the end of the queue."""
        if self._free:
            lease.take(self._free.pop())
        else:
            self._queue[lease] = None

    def give_back(self, thread: ThreadPoolExecutor) -> None:
        """Hand a thread that is no longer needed to the first lease in the queue."""
        if self._queue:
            first = next(iter(self._queue))
            del self._queue[first]
            first.take(thread)
        else:
            self._free.append(thread)

    def forget(self, lease: Lease) -> None:
        """Take `lease` out of the queue."""
        self._queue.pop(lease, None)


class ThreadedPages:
    """An ASGI application whose synchronous parts run on `threads`.

    At most `max_queue` requests wait for a thread. Further requests get 503 at once,
    which tells proxies and programs to try again later.
    """

    def __init__(self, pages: Application, threads: Threads, max_queue: int) -> None:
        self._pages, self._threads, self._max_queue = pages, threads, max_queue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._threads.queue_length >= self._max_queue:
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
