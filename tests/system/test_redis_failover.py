"""A master of Redis dies, Sentinels promote its replica, and the shop goes on."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.core.cache import caches

from products.pagecache.invalidation import drop_everything
from products.stock import services as stock
from project import redis_url
from project.celery import flush as flush_tasks
from project.celery import later
from realtime import outages
from realtime.publish import flush
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.layers import publishing_at
from tests.support.redis_servers import QUOTED, USER, GuardedRedis, Sentinel, quiet_port
from tests.support.servers import Daphne, Redis, wait_until
from tests.support.workers import Worker, broker_at

SOON_S = 30
# The audit does not correct lost pushes here.
QUICK = {"LIVE_PROBE_S": "0.5", "LIVE_AUDIT_S": "3600", "LIVE_HEARTBEAT_S": "0.5"}


class World:
    """A master with a replica, a Sentinel, and a shop with a worker that know both by
    the Sentinel alone."""

    def __init__(self, stack: ExitStack, make_folder, static: dict[str, str]) -> None:
        self.master = GuardedRedis(make_folder("master"))
        of_master = ["--replicaof", "127.0.0.1", str(self.master.port)]
        self.replica = GuardedRedis(make_folder("replica"), *of_master)
        for redis in (self.master, self.replica):
            stack.callback(redis.kill)
            redis.start()
        with self.replica.admin() as admin:
            wait_until(
                lambda: admin.info("replication")["master_link_status"] == "up",
                "replication",
                SOON_S,
            )
        sentinel = Sentinel(make_folder("sentinel"), m=("127.0.0.1", self.master.port))
        stack.callback(sentinel.kill)
        sentinel.start()
        with sentinel.client() as client:
            wait_until(lambda: client.sentinel_slaves("m"), "discovery", SOON_S)
        sentinels = f"127.0.0.1:{quiet_port()},127.0.0.1:{sentinel.port}"  # one is down
        secret = f"sentinel_username={USER}&sentinel_password={QUOTED}"
        self.url = f"redis+sentinel://{USER}:{QUOTED}@{sentinels}/m?{secret}"
        self.worker = Worker(make_folder("worker"), self.url)
        stack.callback(self.worker.kill)
        self.worker.launch()
        self.shop = Daphne(make_folder("shop"), self.url, **static, **QUICK)
        stack.callback(self.shop.kill)
        self.shop.start()
        self.worker.wait()


@pytest.fixture
def world(transactional_db, tmp_path_factory, static, settings) -> Iterator[World]:
    with ExitStack() as stack:
        world = World(stack, tmp_path_factory.mktemp, static)
        settings.REDIS = redis_url.parse(world.url)
        default = settings.CACHES["default"] | {"LOCATION": world.url}
        settings.CACHES = settings.CACHES | {"default": default}
        stack.enter_context(broker_at(world.url))
        stack.enter_context(publishing_at(world.url))
        yield world


def is_kept(value: str) -> bool:
    """Whether the cache takes and gives it."""
    caches["default"].set("value", value)
    return caches["default"].get("value") == value


def drops_everything(redis: Redis) -> None:
    """The worker runs a task, which writes a key to that Redis. Tasks are handed over
    again and again: the first ones may be lost."""

    def is_done() -> bool:
        later(drop_everything)
        assert flush_tasks(SOON_S)
        return bool(admin.keys("shop:1:*"))

    with redis.admin() as admin:
        wait_until(is_done, "a task", SOON_S)


def test_failover_is_followed_by_every_user_of_redis(world):
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    assert is_kept("before")
    drops_everything(world.master)

    with Client(world.shop) as client:
        client.watch(topic)
        stock.claim({variant.pk: 1})
        client.shows(topic, 2)
        since = world.shop.mark()
        world.master.kill()
        stock.claim({variant.pk: 1})  # its event is lost
        wait_until(lambda: is_kept("after"), "the cache", SOON_S)

        assert client.shows(topic, 3, seconds=SOON_S)["available"] == 8
        wait_until(lambda: "Redis is back" in world.shop.said(since), "the hub", SOON_S)
        stock.claim({variant.pk: 1})
        assert flush(SOON_S)
        assert client.shows(topic, 4, seconds=SOON_S)["available"] == 7

    assert outages.ask() == "ok"
    with world.replica.admin() as admin:
        assert admin.info("replication")["role"] == "master"
        admin.delete(*admin.keys("shop:1:*"))
    drops_everything(world.replica)
    for process in (world.shop, world.worker):
        assert "Traceback" not in process.said(since if process is world.shop else 0)
