"""A Daphne, a Redis and a PostgreSQL, all real; this process writes as another would.

What can be shared is: one Redis and one Daphne for all tests that leave them as they
were. Tests that break servers start their own.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import standby
from tests.support.layers import publishing_at
from tests.support.servers import Daphne, Redis, Shop
from tests.support.standby import Pair

# There is no wheel of PgBouncer, as there is of the other servers.
collect_ignore = [] if shutil.which("pgbouncer") else ["test_pooler.py"]

QUICK = {
    "LIVE_HEARTBEAT_S": "1",
    "LIVE_AUDIT_S": "1",
    "LIVE_PROBE_S": "0.5",
    "LIVE_LINGER_S": "1",
}


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture(scope="session")
def shared_daphne(
    django_db_setup, tmp_path_factory, shared_redis, static
) -> Iterator[Daphne]:
    environment = static | {"LIVE_HEARTBEAT_S": "1", "LIVE_AUDIT_S": "3600"}
    folder = tmp_path_factory.mktemp("daphne")
    daphne = Daphne(folder, shared_redis.url, **environment)
    daphne.start()
    yield daphne
    daphne.stop()


@pytest.fixture(scope="session")
def shared_quick(
    django_db_setup, tmp_path_factory, shared_redis, static
) -> Iterator[Daphne]:
    folder = tmp_path_factory.mktemp("quick")
    daphne = Daphne(folder, shared_redis.url, **static, **QUICK)
    daphne.start()
    yield daphne
    daphne.stop()


@pytest.fixture
def redis(shared_redis) -> Iterator[Redis]:
    """The Redis that this process publishes through too."""
    with publishing_at(shared_redis.url):
        yield shared_redis


@pytest.fixture
def listening(redis, shared_daphne) -> Iterator[Daphne]:
    """A shop whose log shows no traceback afterwards, for tests that write nothing.

    It has no audit, on purpose: what tests see was pushed."""
    since = shared_daphne.mark()
    yield shared_daphne
    assert "Traceback" not in shared_daphne.said(since), shared_daphne.said(since)


@pytest.fixture
def daphne(transactional_db, listening) -> Daphne:
    """The same, for tests that write to the database."""
    return listening


@pytest.fixture
def quick(transactional_db, redis, shared_quick) -> Iterator[Daphne]:
    """One that looks for what was lost every second, and leaves groups after one."""
    since = shared_quick.mark()
    yield shared_quick
    assert "Traceback" not in shared_quick.said(since), shared_quick.said(since)


@pytest.fixture
def own_redis(tmp_path) -> Iterator[Redis]:
    """A Redis to break; it is not started yet."""
    redis = Redis(tmp_path)
    with publishing_at(redis.url):
        yield redis
    redis.stop()


@pytest.fixture
def serve(transactional_db, tmp_path, static) -> Iterator[Callable[..., Shop]]:
    """Start shops to break: serve(redis), serve(redis, Uvicorn, LIVE_AUDIT_S="9")."""
    shops: list[Shop] = []

    def start(redis: Redis, kind: type[Shop] = Daphne, **environment: str) -> Shop:
        folder: Path = tmp_path
        shops.append(kind(folder, redis.url, **{**static, **QUICK, **environment}))
        shops[-1].start()
        return shops[-1]

    yield start
    for shop in shops:
        shop.kill()


@pytest.fixture(scope="module")
def shared_pair(django_db_setup, django_db_blocker) -> Iterator[Pair]:
    with django_db_blocker.unblock(), standby.pair() as two:
        yield two


@pytest.fixture
def pair(transactional_db, shared_pair) -> Iterator[Pair]:
    """A primary, to which this process writes, and a standby that follows it."""
    if shared_pair.standby.pid == 0:  # an earlier test killed it
        shared_pair.follow()
    with shared_pair.written():
        yield shared_pair
