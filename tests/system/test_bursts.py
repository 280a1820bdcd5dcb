"""Many visitors at once: pages on real Daphnes, connections of a real PostgreSQL."""

import asyncio
from collections import Counter

import pytest
from django.db import connection

from tests.support.servers import Daphne

THREADS = 5
BURST = 500
HUB = 2  # connections of the hub's own, and as many of the health checks
HEALTH = 2


class Named(Daphne):
    """A shop whose connections to the database can be told from others."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PGAPPNAME": self.application_name}

    @property
    def application_name(self) -> str:
        return f"shop-{self.port}"


class Unbounded(Named):
    """Django as it comes: each request has a thread and a connection of its own."""

    application = "tests.system.django_pages:application"


async def get(shop: Daphne, path: str) -> int:
    """The status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
    host = f"localhost:{shop.port}"
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def burst(shop: Named, size: int) -> tuple[Counter, int]:
    """So many requests at once: how often each status was answered, and how many
    connections to the database there were at most."""
    requests = asyncio.gather(*(get(shop, "/sitemap.xml") for _ in range(size)))
    most = 0
    while not requests.done():
        most = max(most, await asyncio.to_thread(connections, shop))
        await asyncio.sleep(0.02)
    return Counter(requests.result()), most


def connections(shop: Named) -> int:
    """How many this shop has to the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s",
            [shop.application_name],
        )
        count = cursor.fetchone()[0]
    connection.close()  # of this thread
    return count


@pytest.fixture
def start(serve, own_redis):
    own_redis.start()

    return lambda kind: serve(own_redis, kind, HTTP_THREADS=str(THREADS))


async def test_burst_of_requests_is_answered_over_as_many_connections_as_threads(start):
    shop = start(Named)

    answers, most = await burst(shop, BURST)

    assert answers == {200: BURST}
    assert 1 < most <= THREADS + HUB + HEALTH


async def test_burst_on_django_as_it_comes_opens_a_connection_for_each(start):
    """The positive control: the bound is ours, and the count can see it broken."""
    shop = start(Unbounded)

    answers, most = await burst(shop, 40)

    assert answers == {200: 40}
    assert most > THREADS + HUB + HEALTH


async def test_healthz_and_readyz_do_not_wait_in_the_line(start):
    shop = start(Named)
    requests = asyncio.gather(*(get(shop, "/sitemap.xml") for _ in range(100)))
    await asyncio.sleep(0)

    assert await get(shop, "/healthz") == 200
    assert await get(shop, "/readyz") == 200
    assert not requests.done()  # they were quicker than the line before them

    assert set(await requests) == {200}
