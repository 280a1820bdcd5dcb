"""A server process with few files still serves pages."""

import asyncio
import contextlib
import io
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from PIL import Image
from redis import Redis

from products.models import Variant
from products.stock import services as stock
from project import pictures
from realtime import files
from tests.support.echoes import Echo
from tests.support.factories import make_variant
from tests.support.servers import Daphne, Shop, wait_until
from tests.system.answers import metrics
from tests.system.flood import Flood

SOON_S = 60  # a limit, on a busy machine
PAGE_S = 2  # in which pages and health checks are answered, whatever comes
LINES = 5  # of log: "a handful"
PATHS = ("/healthz", "/readyz", "/products/")


class Limited(Daphne):
    """A server with these limits of open files, soft and hard."""

    limits = (256, 256)

    def command(self) -> list[str]:
        soft, hard = self.limits
        lowered = f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$@"'
        return ["sh", "-c", lowered, "sh", *super().command()]

    def address(self) -> list[str]:
        return [*super().address(), "--verbosity", "0"]  # no line for each request


class Raisable(Limited):
    limits = (256, 1024)


class Starved(Limited, Echo):
    limits = (100, 100)


@pytest.fixture(scope="module", params=[Limited, Raisable], ids=["same", "raisable"])
def started(
    request, django_db_setup, tmp_path_factory, shared_redis, static
) -> Iterator[Shop]:
    options = static | {"HTTP_HEADERS_S": "300"}  # silence alone ends no connection
    shop = request.param(tmp_path_factory.mktemp("files"), shared_redis.url, **options)
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def server(transactional_db, redis, started) -> Iterator[Shop]:
    """A server without visitors, which must not log much."""
    wait_until(lambda: not visitors(started), "the end of other tests", SOON_S)
    get(started, "/products/")
    since = started.mark()
    yield started
    lines = started.said(since).splitlines()
    assert len(lines) <= LINES, lines[-50:]


@pytest.fixture(autouse=True)
def _many_files() -> None:
    files.raise_limit()  # of the test, whose sockets are files too


class Asking:
    """Loads pages again and again on its own thread, until the block ends."""

    def __init__(self, shop: Shop) -> None:
        self._shop, self._is_over = shop, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.quickest: dict[str, float] = {}  # seconds, by path
        self.failures: list[str] = []

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(0.05):
            for path in PATHS:
                begun = time.monotonic()
                try:
                    get(self._shop, path)
                except OSError as error:
                    self.failures.append(f"{path}: {error!r}")
                took = time.monotonic() - begun
                self.quickest[path] = min(took, self.quickest.get(path, took))

    def is_quick(self) -> bool:
        """Whether all pages are answered in time."""
        return all(self.quickest.get(path, SOON_S) < PAGE_S for path in PATHS)


def get(shop: Shop, path: str) -> None:
    """Load a page. Raises `OSError` unless its status is 200."""
    with urllib.request.urlopen(shop.url + path, timeout=SOON_S) as answer:
        answer.read()


def visitors(shop: Shop) -> int:
    """Return the connections that the server has accepted and not closed."""
    connections = psutil.Process(shop.pid).net_connections("tcp")
    return sum(
        each.laddr.port == shop.port and bool(each.raddr) for each in connections
    )


def held(shop: Shop) -> list[str]:
    """Return the files that it has open. Temporary ones are "(deleted)"."""
    links = Path(f"/proc/{shop.pid}/fd").iterdir()
    return [os.readlink(link) for link in links]


def count(variant: Variant, units: int) -> None:
    """Change the stock on another thread."""
    with contextlib.closing(connection):
        stock.count(variant.pk, units)


def flooded(work: Callable[[Flood], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(SOON_S), Flood() as flood:
            await work(flood)

    asyncio.run(run())


@contextlib.contextmanager
def connected(shop: Shop, count: int, data: bytes = b"") -> Iterator[None]:
    """Open connections that send this and nothing else."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            link = socket.create_connection(("127.0.0.1", shop.port), SOON_S)
            stack.enter_context(link)
            link.sendall(data)
        yield


# --- More sockets than there are files for ----------------------------------------


def test_sockets_beyond_the_file_limit_are_refused_and_pages_are_served(server):
    limit, variant = server.limits[1], make_variant(on_hand=5)
    sockets = limit + 150

    async def pour(flood: Flood) -> None:
        with Asking(server) as asking:
            await flood.pour(server, sockets, f"stock:{variant.pk}")
            asking.quickest.clear()
            await asyncio.to_thread(
                wait_until, asking.is_quick, f"{PATHS} within {PAGE_S} s", SOON_S
            )
        assert asking.failures == []
        values = await asyncio.to_thread(metrics, server)
        await asyncio.to_thread(count, variant, 3)
        heard = await flood.hears(b'"available":3')

        most = values["shop_sockets_limit"]
        assert flood.statuses == {"101": most, "503": sockets - most}
        assert flood.without_a_time == 0
        assert heard == most > limit / 4
        assert values["shop_files_limit"] == limit
        assert most < values["shop_files_open"] < limit

    flooded(pour)


def test_server_logs_its_file_limit_at_the_start(started):
    (line,) = [line for line in started.said().splitlines() if "LIVE_SOCKETS" in line]

    most = metrics(started)["shop_sockets_limit"]
    assert line == (
        f"WARNING realtime.server: At most {started.limits[1]} files may be open (256"
        f" at the start), so this process takes {most:.0f} sockets; LIVE_SOCKETS is"
        " 20000"
    )


@pytest.mark.parametrize(
    "data", [b"", b"POST /x HTTP/1.1\r\nHost: "], ids=["nothing", "half"]
)
def test_silent_connections_leave_room_for_pages(server, data):
    with connected(server, server.limits[0], data):
        get(server, "/products/")


def test_bodies_of_unknown_length_take_no_files(server):
    """Such files would not be in the budget."""
    head = "POST /users/login/ HTTP/1.1\r\nHost: localhost\r\n"
    with connected(server, 60, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()):
        wait_until(lambda: visitors(server) >= 60, "all of them", SOON_S)
        get(server, "/healthz")
        assert not any(path.endswith("(deleted)") for path in held(server))


# --- The limit itself -------------------------------------------------------------


def test_refused_files_are_logged_once_and_lose_no_work(server):
    """Lower the limit of the running process, and raise it again."""
    process, limit = psutil.Process(server.pid), server.limits[1]
    since = server.mark()
    process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds(), limit))
    before = process.cpu_times()

    with connected(server, 50):
        wait_until(lambda: "EMFILE" in server.said(since), "the line", SOON_S)
        time.sleep(1)  # which a server that tries again and again spends on that
        after = process.cpu_times()
        process.rlimit(psutil.RLIMIT_NOFILE, (limit, limit))
        get(server, "/healthz")

    assert after.user + after.system - before.user - before.system < 0.5
    assert server.said(since).count("cannot be accepted (EMFILE)") == 1


def test_libraries_take_files_numbered_above_1024(transactional_db, redis, settings):
    """None of them uses select(), which cannot."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    upload = SimpleUploadedFile("8.png", picture.getvalue())
    connection.close()
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            stack.enter_context(open(os.devnull))
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01)")
        assert connection.connection.fileno() > 1024
        with Redis.from_url(settings.REDIS_URL, socket_timeout=SOON_S) as client:
            assert client.ping()
        assert pictures.squares(upload, [4], max_bytes=10_000)
        connection.close()


def test_server_with_too_few_files_ends_with_a_message(tmp_path):
    echo = Starved(tmp_path)
    echo.launch()
    try:
        assert echo.ended(SOON_S) == 1
    finally:
        echo.kill()

    (line,) = echo.said().splitlines()
    assert "The limit of open files is 100, and this server needs " in line
