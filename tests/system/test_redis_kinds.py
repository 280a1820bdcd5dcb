"""Every user of Redis does its work, whatever kind of Redis REDIS_URL names."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import quote

import pytest
import redis as redis_client
from channels.layers import get_channel_layer
from django.core.cache import caches

from products.pagecache.invalidation import drop_everything
from project import redis_url
from project.celery import app
from project.celery import flush as flush_tasks
from project.celery import later
from project.mail.tasks import sweep_outbox
from realtime import outages
from realtime import publish as door
from realtime.publish import flush, group_of, publish
from realtime.sending import BackgroundSender
from tests.support.layers import publishing_at
from tests.support.redis_servers import (
    QUOTED,
    USER,
    GuardedRedis,
    Sentinel,
    TlsPort,
    quiet_port,
)
from tests.support.servers import wait_until
from tests.support.tls import make_certificate
from tests.support.workers import Worker, broker_at

SOON_S = 20
SIGN_IN = f"{USER}:{QUOTED}"
KINDS = {"socket": 1, "tls": 2, "sentinel": 3, "sentinel by tls": 4}  # and databases


@dataclass
class World:
    """One Redis, and the addresses under which the shop may know it."""

    redis: GuardedRedis
    good: dict[str, str]
    unchecked: dict[str, str]  # what proves nothing, and was told not to
    bad: dict[str, str]


BAD = [
    "no password",
    "another password",
    "another password of the Sentinel",
    "no authority",
    "another authority",
    "another name",
    "another authority of the Sentinel",
    "another authority behind the Sentinel",
    "no certificate of one's own",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    folder, elsewhere = tmp_path_factory.mktemp("redis"), tmp_path_factory.mktemp("ca")
    ours, other = make_certificate(folder), make_certificate(elsewhere)
    own, trust = f"ssl_certfile={ours}", f"ssl_ca_certs={ours}"
    secret = f"sentinel_username={USER}&sentinel_password={QUOTED}"
    with ExitStack() as stack:

        def start(server):
            stack.callback(server.stop)
            server.start()
            return server

        def port(target, certificate, **options) -> int:
            opened = TlsPort(target, certificate, **options)
            stack.callback(opened.close)
            return opened.port

        redis = start(GuardedRedis(folder))
        sentinel = start(
            Sentinel(
                folder,
                plain=("127.0.0.1", redis.port),
                tls=("localhost", port(redis.socket, ours, is_open=True)),
                strange=("localhost", port(redis.socket, other, is_open=True)),
            )
        )
        place = "127.0.0.1", sentinel.port
        # Good ones ask for the shop's certificate; bad ones take everybody, so that
        # nothing but the shop's own check is in the way.
        tls, guarded = (
            port(each, ours, clients=ours) for each in (redis.socket, place)
        )
        open_tls, odd_tls = port(redis.socket, ours), port(redis.socket, other)
        open_asked, odd_asked = port(place, ours), port(place, other)
        dead = quiet_port()
        by_tls, by_sentinel = f"rediss://{SIGN_IN}@", f"redis+sentinel://{SIGN_IN}@"
        by_both = f"rediss+sentinel://{SIGN_IN}@"
        good = {
            "socket": f"unix://{SIGN_IN}@{quote(str(redis.socket))}?db=1",
            "tls": f"{by_tls}localhost:{tls}/2?{trust}&{own}",
            "sentinel": f"{by_sentinel}127.0.0.1:{dead},127.0.0.1:{sentinel.port}"
            f"/plain/3?{secret}",
            "sentinel by tls": f"{by_both}localhost:{guarded}/tls/4?{secret}"
            f"&{trust}&{own}",
        }
        unchecked = {
            "tls": f"{by_tls}127.0.0.1:{odd_tls}/5?ssl_cert_reqs=none",
            "sentinel by tls": f"{by_both}127.0.0.1:{odd_asked}/strange/6?{secret}"
            "&ssl_cert_reqs=none",
        }
        bad = {
            "no password": f"redis://127.0.0.1:{redis.port}",
            "another password": f"redis://{USER}:s3cret@127.0.0.1:{redis.port}",
            "another password of the Sentinel": f"{by_sentinel}127.0.0.1:"
            f"{sentinel.port}/plain?sentinel_username={USER}&sentinel_password=s3cret",
            "no authority": f"{by_tls}localhost:{open_tls}",
            "another authority": f"{by_tls}localhost:{odd_tls}?{trust}",
            "another name": f"{by_tls}127.0.0.1:{open_tls}?{trust}",
            "another authority of the Sentinel": f"{by_both}localhost:{odd_asked}/tls"
            f"?{secret}&{trust}",
            "another authority behind the Sentinel": f"{by_both}localhost:{open_asked}"
            f"/strange?{secret}&{trust}",
            "no certificate of one's own": f"{by_tls}localhost:{tls}?{trust}",
        }
        yield World(redis, good, unchecked, bad)


@pytest.fixture(scope="module")
def workers(django_db_setup, world, tmp_path_factory) -> Iterator[dict[str, Worker]]:
    """One for each kind, all started at once."""
    workers = {
        kind: Worker(tmp_path_factory.mktemp("worker"), world.good[kind])
        for kind in KINDS
    }
    for worker in workers.values():
        worker.launch()
    yield workers
    for worker in workers.values():
        worker.kill()


@pytest.fixture
def cache_at(settings):
    def cache(url: str):
        default = settings.CACHES["default"] | {"LOCATION": url}
        settings.CACHES = settings.CACHES | {"default": default}
        return caches["default"]

    return cache


async def hears_what_is_published() -> None:
    """Listen on a channel of this process, and publish through the publisher's thread.
    Raises what the layer does."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group_of("stock:1"), channel)
    publish("stock:1", version=7)
    async with asyncio.timeout(SOON_S):
        event = await layer.receive(channel)
    assert (event["topic"], event["version"]) == ("stock:1", 7)


@pytest.mark.parametrize("kind", KINDS)
def test_cache_keeps_its_values_in_the_database_of_the_address(world, cache_at, kind):
    cache = cache_at(world.good[kind])

    cache.set("kind", kind)

    assert cache.get("kind") == kind
    with world.redis.admin(db=KINDS[kind]) as admin:
        assert admin.exists(cache.make_key("kind"))


@pytest.mark.parametrize("kind", KINDS)
def test_layer_delivers_what_the_publisher_publishes(world, kind):
    with publishing_at(world.good[kind]):
        asyncio.run(hears_what_is_published())


@pytest.mark.parametrize("kind", KINDS)
def test_readyz_finds_redis(world, settings, kind):
    settings.REDIS = redis_url.parse(world.good[kind])

    assert outages.ask() == "ok"


@pytest.mark.parametrize("kind", KINDS)
def test_worker_runs_a_task_and_shows_no_password(world, workers, kind):
    worker = workers[kind]
    with world.redis.admin(db=KINDS[kind]) as admin:
        with broker_at(world.good[kind]):
            later(drop_everything)
            assert flush_tasks(SOON_S)
        worker.wait()
        wait_until(lambda: admin.keys("shop:1:*"), "the task", SOON_S)

    assert "s3cret" not in worker.said()
    assert "Traceback" not in worker.said()


@pytest.mark.parametrize("kind", ["tls", "sentinel by tls"])
def test_certificate_that_proves_nothing_serves_where_checks_are_off_by_name(
    world, cache_at, settings, kind
):
    url = world.unchecked[kind]
    settings.REDIS = redis_url.parse(url)
    cache = cache_at(url)

    cache.set("unchecked", kind)
    with broker_at(url), publishing_at(url):
        asyncio.run(hears_what_is_published())
        later(sweep_outbox)
        assert flush_tasks(SOON_S)

    assert cache.get("unchecked") == kind
    assert outages.ask() == "ok"
    with world.redis.admin(db=redis_url.parse(url).db) as admin:
        assert admin.llen(settings.MAIL_QUEUE) == 1


@pytest.mark.parametrize("fault", BAD)
def test_address_with_a_fault_serves_nobody_and_tells_no_password(
    world, cache_at, settings, caplog, monkeypatch, fault
):
    sender = BackgroundSender("publisher", door._open_connection)
    monkeypatch.setattr(door, "_sender", sender)
    url = world.bad[fault]
    settings.REDIS = redis_url.parse(url)
    cache = cache_at(url)
    with world.redis.admin() as admin:
        admin.flushdb()

    cache.set("fault", fault)
    assert cache.get("fault") is None
    assert outages.ask() in (outages.AWAY, outages.REFUSED)
    with publishing_at(url):
        publish("stock:1", version=7)
        with pytest.raises(redis_client.ConnectionError):
            asyncio.run(hears_what_is_published())
        assert flush(SOON_S)
    with broker_at(url), app.connection_for_write() as broker:
        with pytest.raises(redis_client.ConnectionError) as refused:
            broker.transport.establish_connection()  # without its retries

    with world.redis.admin() as admin:
        assert not admin.dbsize()
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert [each.name for each in errors] == ["realtime.outages"]
    assert "s3cret" not in caplog.text + str(refused.value)
