"""Pages on a few threads: the queue for them, and the thread that a request keeps."""

import asyncio
import threading
import time
from contextlib import AsyncExitStack, suppress

import pytest
from asgiref.sync import sync_to_async

from project.http.threads import ThreadedPages, Threads

SCOPE = {"type": "http", "path": "/", "headers": []}


class Visitor:
    """One request; `sent` holds the messages of its answer."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.sent: list[dict] = []
        self.form = asyncio.Event()
        if not is_slow:
            self.form.set()

    async def receive(self) -> dict:
        await self.form.wait()
        return {"type": "http.request", "body": b""}

    async def send(self, message: dict) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]


class Page:
    """A page that keeps its thread until `release` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.now = self.most = 0
        self.threads: list[list[int]] = []
        self._lock = threading.Lock()

    async def __call__(self, scope, receive, send) -> None:
        await receive()
        first = await sync_to_async(threading.get_ident)()
        second = await sync_to_async(self._work)()
        self.threads.append([first, second])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def _work(self) -> int:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.release.wait(10)
        with self._lock:
            self.now -= 1
        return threading.get_ident()


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def page() -> Page:
    return Page()


def serve(pages: ThreadedPages, visitor: Visitor) -> asyncio.Task:
    return asyncio.ensure_future(pages(SCOPE, visitor.receive, visitor.send))


async def test_burst_of_requests_shares_the_threads(page):
    threads = Threads(3)
    pages, visitors = ThreadedPages(page, threads, 100), [Visitor() for _ in range(40)]

    tasks = [serve(pages, visitor) for visitor in visitors]
    await until(lambda: page.now == 3)
    assert (threads.busy, threads.queue_length) == (3, 37)
    page.release.set()
    await asyncio.gather(*tasks)

    assert {visitor.status for visitor in visitors} == {200}
    assert page.most == 3
    assert len({ident for both in page.threads for ident in both}) == 3
    assert (threads.busy, threads.queue_length) == (0, 0)


async def test_request_keeps_its_thread_until_it_is_answered(page):
    pages = ThreadedPages(page, Threads(3), 100)
    page.release.set()

    await asyncio.gather(*(serve(pages, Visitor()) for _ in range(30)))

    assert all(first == second for first, second in page.threads)


async def test_form_that_arrives_slowly_holds_no_thread(page):
    pages = ThreadedPages(page, Threads(1), 100)
    page.release.set()
    slow, quick = Visitor(is_slow=True), Visitor()

    late = serve(pages, slow)
    await serve(pages, quick)

    assert quick.status == 200
    assert slow.sent == []
    slow.form.set()
    await late
    assert slow.status == 200


async def test_request_whose_visitor_left_is_taken_out_of_the_queue(page):
    threads = Threads(1)
    pages = ThreadedPages(page, threads, 100)
    first, gone, last = Visitor(), Visitor(), Visitor()
    at_work = serve(pages, first)
    await until(lambda: page.now == 1)
    leaving, waiting = serve(pages, gone), serve(pages, last)
    await until(lambda: threads.queue_length == 2)

    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    page.release.set()
    await asyncio.gather(at_work, waiting)

    assert gone.sent == []
    assert (first.status, last.status) == (200, 200)
    assert (threads.busy, threads.queue_length) == (0, 0)


async def test_request_is_refused_at_once_if_the_queue_is_full(page):
    threads = Threads(1)
    pages, visitors = ThreadedPages(page, threads, 2), [Visitor() for _ in range(3)]
    async with AsyncExitStack() as stack:
        stack.callback(page.release.set)
        tasks = [serve(pages, visitor) for visitor in visitors]
        await until(lambda: threads.queue_length == 2)
        refused = Visitor()

        since = time.monotonic()
        await serve(pages, refused)

        assert refused.status == 503
        assert (b"retry-after", b"5") in refused.sent[0]["headers"]
        assert time.monotonic() - since < 5  # the others wait for ten
    await asyncio.gather(*tasks)
    assert {visitor.status for visitor in visitors} == {200}


async def test_error_in_a_thread_reaches_its_caller_and_frees_the_thread():
    def fail() -> None:
        raise LookupError("what was asked for")

    async def page(scope, receive, send) -> None:
        await sync_to_async(fail)()

    threads = Threads(1)

    for _ in range(3):
        with pytest.raises(LookupError, match="what was asked for"):
            await serve(ThreadedPages(page, threads, 5), Visitor())

    assert threads.busy == 0
