"""The cache while its Redis is well, stopped, frozen and back."""

import threading
import time
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from redis.exceptions import ConnectionError

from project import cache as module
from project.cache import Breaker, ForgivingCache
from tests.support.servers import Redis, wait_until

PAUSE_S = 0.3


@pytest.fixture(scope="module")
def the_server(tmp_path_factory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("cache"))
    yield server
    server.stop()


@pytest.fixture
def server(the_server) -> Redis:
    the_server.restart()
    return the_server


@pytest.fixture
def cache(server, settings, monkeypatch) -> BaseCache:
    """The shop's cache on a Redis of the test's own, with short pauses."""
    monkeypatch.setattr(module, "PAUSE_S", PAUSE_S)
    monkeypatch.setattr(module, "_breakers", {})
    ours = settings.CACHES["default"] | {"LOCATION": server.url}
    settings.CACHES = settings.CACHES | {"default": ours}
    return caches["default"]


def seconds(work) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def said(caplog) -> list[str]:
    return [each.message for each in caplog.records if each.name == "realtime.outages"]


def test_cache_of_the_shop_is_the_forgiving_one(cache):
    assert isinstance(cache, ForgivingCache)


def test_cache_with_redis_keeps_and_forgets(cache, caplog):
    cache.set("lamp", [1.5, "brass"], 60)

    assert cache.get("lamp") == [1.5, "brass"]
    assert cache.add("lamp", "another") is False
    assert cache.get("nothing", "else") == "else"
    assert cache.delete("lamp") is True
    assert cache.add("lamp", "another") is True
    assert said(caplog) == []


def test_cache_without_redis_answers_as_if_nothing_were_cached(cache, server, caplog):
    cache.set("lamp", 1, 60)
    server.kill()

    assert cache.add("lock", True, 10) is True
    assert cache.add("lock", True, 10) is True
    assert cache.get("lamp") is None
    assert cache.get("lamp", 5) == 5
    assert cache.get_many(["lamp"]) == {}
    assert cache.get_or_set("lamp", 7) == 7
    assert cache.set("lamp", 2) is None
    assert cache.set_many({"lamp": 2}) == ["lamp"]
    assert cache.touch("lamp") is False
    assert cache.has_key("lamp") is False
    assert "lamp" not in cache
    assert cache.incr("count") == 1
    assert cache.decr("count") == -1
    assert cache.delete("lamp") is False
    assert cache.delete_many(["lamp"]) is None
    assert cache.clear() is None
    assert len(said(caplog)) == 1
    assert "Redis is away" in said(caplog)[0]


def test_cache_with_redis_frozen_waits_once_for_it(cache, server):
    cache.set("lamp", 1, 60)

    with server.frozen(), patch.object(module, "PAUSE_S", 30):
        first = seconds(lambda: cache.get("lamp"))
        next_ones = seconds(lambda: [cache.add(f"k{n}", True) for n in range(100)])

    assert 0.5 < first < 1.9  # SOCKET_TIMEOUT, and no second try
    assert next_ones < 0.2


def test_cache_with_redis_frozen_lets_one_thread_look_whether_it_is_back(cache, server):
    slow = []

    def ask() -> None:
        if seconds(lambda: caches["default"].get("lamp")) > 0.5:
            slow.append(1)

    with server.frozen():
        cache.get("lamp")
        time.sleep(PAUSE_S + 0.1)
        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(slow) == 1


def test_cache_with_redis_back_works_again(cache, server):
    server.kill()
    cache.set("lamp", 1)
    server.start()

    def is_back() -> bool:
        cache.set("lamp", 2, 60)
        return cache.get("lamp") == 2

    wait_until(is_back, "the cache's return", PAUSE_S + 2)


def test_cache_after_redis_was_restarted_while_idle_loses_no_call(
    cache, server, caplog
):
    cache.set("lamp", 1, 60)
    server.restart()

    assert cache.add("lock", True, 60) is True
    assert cache.add("lock", True, 60) is False  # it is kept: Redis was asked
    assert said(caplog) == []


def test_lock_whose_release_a_frozen_redis_did_not_hear_is_released_afterwards(
    cache, server
):
    cache.get("warm")
    with server.frozen():
        assert cache.add("lock", True, 60) is True  # waits in Redis' queue
        cache.delete("lock")
    time.sleep(PAUSE_S + 0.1)

    cache.get("anything")  # the first to find Redis back

    assert cache.get("lock") is None
    assert cache.add("lock", True, 60) is True


def test_value_deleted_while_redis_was_away_does_not_come_back(cache, server):
    cache.set("price", 12, 60)
    with server.frozen():
        cache.get("price")
        cache.delete_many(["price"])
    time.sleep(PAUSE_S + 0.1)

    cache.get("anything")

    assert cache.get("price") is None


def test_clear_leaves_alone_what_others_keep_in_the_same_redis(cache):
    client = cache.client.get_client()
    client.lpush("celery", "a task")
    cache.set("lamp", 1, 60)

    cache.clear()

    assert cache.get("lamp") is None
    assert client.llen("celery") == 1


def test_breaker_that_owes_too_much_remembers_no_more():
    breaker = Breaker()
    breaker.failed(ConnectionError("away"))

    for n in range(module.MAX_OWED + 100):
        breaker.owe([f"key{n}"])

    assert len(breaker.answered()) == module.MAX_OWED
