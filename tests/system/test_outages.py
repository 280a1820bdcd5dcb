"""What stands between the shop and its pages fails, in every way a network and a server
can. Sockets stay open, and soon after it is over all show what the database holds.

The shop has the probe of production, and an audit so slow that it heals nothing here.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import redis as redis_client
from django.db import connection
from websockets.exceptions import WebSocketException

from products.basket import services as basket
from products.live.registry import registry
from products.live.viewers import Owner
from products.stock import services as stock
from realtime.publish import flush
from tests.support.client import Client
from tests.support.factories import make_basket, make_user, make_variant, make_variants
from tests.support.layers import publishing_at
from tests.support.postgres import postgres_of_its_own
from tests.support.proxy import Proxy
from tests.support.servers import Daphne, Redis, wait_until
from tests.support.shopper import Shopper

HEALED_S = 5  # after the end of an outage
NOTICED_S = 15
FROZEN_S = 20
USUAL = {"LIVE_PROBE_S": "1", "LIVE_AUDIT_S": "3600", "LIVE_HEARTBEAT_S": "0.5"}


@dataclass
class World:
    """A shop that reaches its servers over networks of the tests."""

    shop: Daphne
    redis: Redis
    to_redis: Proxy
    to_database: Proxy

    def says(self, words: str, since: int) -> None:
        wait_until(lambda: words in self.shop.said(since), words, NOTICED_S)


def database_at() -> Path | tuple[str, int]:
    """Where the test's PostgreSQL listens."""
    host = connection.settings_dict["HOST"]
    port = int(connection.settings_dict["PORT"] or 5432)
    return Path(host) / f".s.PGSQL.{port}" if host.startswith("/") else (host, port)


def database_over(proxy: Proxy) -> str:
    settings = connection.settings_dict
    who = f"{settings['USER']}:{quote(settings['PASSWORD'])}"
    return f"postgres://{who}@127.0.0.1:{proxy.port}/{settings['NAME']}"


@pytest.fixture(scope="module")
def shared_world(django_db_setup, tmp_path_factory, static) -> Iterator[World]:
    with ExitStack() as stack:
        redis = Redis(tmp_path_factory.mktemp("redis"))
        stack.callback(redis.stop)
        redis.start()
        to_redis, to_database = Proxy(redis.socket), Proxy(database_at())
        stack.callback(to_redis.close)
        stack.callback(to_database.close)
        over = {"DATABASE_URL": database_over(to_database)}
        address = f"redis://127.0.0.1:{to_redis.port}/0"
        folder = tmp_path_factory.mktemp("outages")
        shop = Daphne(folder, address, **static, **USUAL, **over)
        stack.callback(shop.stop)
        shop.start()
        yield World(shop, redis, to_redis, to_database)


@pytest.fixture
def world(transactional_db, shared_world) -> Iterator[World]:
    """This process commits and publishes as another does, past the broken networks."""
    since = shared_world.shop.mark()
    with publishing_at(shared_world.redis.url):
        yield shared_world
    said = shared_world.shop.said(since)
    assert "Traceback" not in said, said


# --- Those who look ---------------------------------------------------------------

WATCHERS = 12
SHOPPERS = 4


class Crowd:
    """Sockets that watch the same products, some of them a basket of their own too."""

    def __init__(self, stack: ExitStack, shop: Daphne) -> None:
        self.products = make_variants(5)
        self.names = {f"stock:{p.pk}": f"stock:{p.pk}" for p in self.products}
        self.baskets = []
        self.sockets: list[tuple[Client, dict[str, str]]] = []
        for _ in range(WATCHERS):
            self._enter(stack, Client(shop), self.names)
        for user in [make_user() for _ in range(SHOPPERS)]:
            owner = Owner(user_id=user.pk)
            self.baskets.append(make_basket(owner, {self.products[0]: 1}))
            own = self.names | {"basket": f"basket:{owner.key}"}
            self._enter(stack, Shopper(shop, user).socket(), own)

    def _enter(self, stack: ExitStack, client: Client, keys: dict[str, str]) -> None:
        stack.enter_context(client).watch(*keys)
        self.sockets.append((client, keys))

    def change(self) -> None:
        """Everything that somebody watches."""
        for variant in self.products:
            stock.claim({variant.pk: 1})
        for number, mine in enumerate(self.baskets):
            basket.add(mine, self.products[1 + number % 4].pk, 1)

    def shows_the_database(self, seconds: float) -> float:
        """Wait until every socket does; gives how long it took. Raises
        `ConnectionClosed` if one was closed, `TimeoutError` if one does not."""
        begun = time.monotonic()
        truth = registry.load(
            {key for _, keys in self.sockets for key in keys.values()}
        )
        for client, keys in self.sockets:
            while not all(
                client.page.shown[name] == truth[key].version
                and client.page.facts[name] == truth[key].facts
                for name, key in keys.items()
            ):
                client.receive(max(0, begun + seconds - time.monotonic()))
        return time.monotonic() - begun


@contextmanager
def crowd_at(world: World) -> Iterator[Crowd]:
    with ExitStack() as stack:
        crowd = Crowd(stack, world.shop)
        crowd.change()
        crowd.shows_the_database(HEALED_S)  # the premise
        yield crowd


# --- What fails -------------------------------------------------------------------

Failure = Callable[[World], AbstractContextManager[None]]


@contextmanager
def redis_killed(world: World) -> Iterator[None]:
    since = world.shop.mark()
    world.redis.kill()
    try:
        world.says("Redis is away", since)
        yield
        assert flush(NOTICED_S)  # or a push would come late, and heal it
    finally:
        world.redis.start()


@contextmanager
def subscriptions_killed(world: World) -> Iterator[None]:
    with redis_client.Redis.from_url(world.redis.url) as client:
        assert client.client_kill_filter(_type="pubsub") == 1
    yield


@contextmanager
def redis_paused(world: World) -> Iterator[None]:
    since = world.shop.mark()
    with redis_client.Redis.from_url(world.redis.url) as client:
        client.client_pause(6000)  # nobody can end it sooner
        world.says("Redis is away", since)
        yield
    wait_until(world.redis.is_ready, "the end of the pause", NOTICED_S)


@contextmanager
def redis_frozen(world: World) -> Iterator[None]:
    begun, since = time.monotonic(), world.shop.mark()
    with world.redis.frozen():
        world.says("Redis is away", since)
        yield
        time.sleep(max(0, begun + FROZEN_S - time.monotonic()))


@contextmanager
def redis_cut_off(world: World) -> Iterator[None]:
    since = world.shop.mark()
    with world.to_redis.cut():
        world.says("Redis is away", since)
        yield


@contextmanager
def redis_stalled(world: World) -> Iterator[None]:
    since = world.shop.mark()
    with world.to_redis.stalled():
        world.says("Redis is away", since)
        yield


@contextmanager
def redis_throttled(world: World) -> Iterator[None]:
    """The layer carries the probes at once, and sales late."""
    with world.to_redis.throttled(2000):
        yield


@contextmanager
def redis_forgotten(world: World) -> Iterator[None]:
    since = world.shop.mark()
    world.to_redis.forget()
    world.says("Redis is away", since)
    yield


@contextmanager
def database_cut_off(world: World) -> Iterator[None]:
    since = world.shop.mark()
    with world.to_database.cut():
        yield
        world.says("The database is away", since)


@contextmanager
def database_stalled(world: World) -> Iterator[None]:
    with world.to_database.stalled():
        yield
        wait_until(lambda: world.to_database.held > 0, "a query", NOTICED_S)


@contextmanager
def database_throttled(world: World) -> Iterator[None]:
    with world.to_database.throttled(2000):
        yield


@pytest.mark.parametrize(
    "failure",
    [
        redis_killed,
        redis_paused,
        redis_frozen,
        redis_cut_off,
        redis_stalled,
        redis_throttled,
        redis_forgotten,
        database_cut_off,
        database_stalled,
        database_throttled,
    ],
)
def test_outage_that_ends_leaves_every_socket_open_and_right(world, failure: Failure):
    with crowd_at(world) as crowd:
        since = world.shop.mark()
        with failure(world):
            crowd.change()

        healed_s = crowd.shows_the_database(HEALED_S)

        print(f"{failure.__name__}: right after {healed_s:.2f} s")  # pytest -rP
        if "Redis is away" in world.shop.said(since):
            world.says("Redis is back", since)
        crowd.change()
        crowd.shows_the_database(HEALED_S)  # pushed, as ever


def test_subscriptions_that_are_killed_leave_every_socket_open_and_right(
    own_redis, serve
):
    """They are made again so quickly that a probe may see nothing: what was lost
    meanwhile the audit finds, as often as it looks by default."""
    own_redis.start()
    shop = serve(own_redis, **USUAL | {"LIVE_AUDIT_S": "3"})
    world = World(shop, own_redis, None, None)
    with crowd_at(world) as crowd:
        with subscriptions_killed(world):
            crowd.change()

        crowd.shows_the_database(HEALED_S)


# --- PostgreSQL itself ------------------------------------------------------------


def test_postgresql_that_restarts_leaves_every_socket_open_and_right(
    transactional_db, redis, serve
):
    with postgres_of_its_own() as postgres:
        shop = serve(redis, **USUAL, DATABASE_URL=postgres.url)
        to = World(shop, redis, None, None)
        with crowd_at(to) as crowd:
            since = shop.mark()
            connection.close()
            postgres.stop()
            client, keys = crowd.sockets[0]
            more = dict.fromkeys([*keys, "stock:999999999"])
            client.send({"t": "sub", "id": 99, "topics": more})  # a load that fails
            to.says("The database is away", since)
            postgres.start()
            crowd.change()  # nobody could before

            healed_s = crowd.shows_the_database(HEALED_S)

            print(f"restart of PostgreSQL: right after {healed_s:.2f} s")
        assert "Traceback" not in shop.said(since), shop.said(since)


# --- Between the shop and its pages -----------------------------------------------


@pytest.fixture
def line(world) -> Iterator[Proxy]:
    """A network between the shop and one page."""
    proxy = Proxy(("127.0.0.1", world.shop.port))
    yield proxy
    proxy.close()


def test_page_behind_a_stalled_line_shows_the_present_when_it_flows(world, line):
    variant = make_variant(on_hand=50)
    topic = f"stock:{variant.pk}"

    with Client(world.shop, port=line.port) as far, Client(world.shop) as near:
        far.watch(topic)
        near.watch(topic)
        with line.stalled():
            for version in range(2, 12):
                stock.claim({variant.pk: 1})
                near.shows(topic, version)
            assert far.hears_nothing(0.5)  # the premise
        far.shows(topic, 11)

        assert far.page.facts == near.page.facts


def test_page_behind_a_narrow_line_shows_the_present_in_time(world, line):
    """The page is right in the end, over the same socket."""
    variants = make_variants(20)
    topics = [f"stock:{variant.pk}" for variant in variants]

    with Client(world.shop, port=line.port) as far:
        far.watch(*topics)
        with line.throttled(10_000):
            for _ in range(9):
                stock.claim({variant.pk: 1 for variant in variants})
            for topic in topics:
                far.shows(topic, 9, seconds=20)

        assert [far.page.facts[topic]["available"] for topic in topics] == [1] * 20


def test_page_whose_line_is_cut_gets_what_it_missed_over_a_new_one(world, line):
    one, two = make_variant(), make_variant()
    topics = [f"stock:{one.pk}", f"stock:{two.pk}"]

    with Client(world.shop, port=line.port) as client:
        client.watch(*topics)
        with line.cut():
            assert client.closed() == 1006
            stock.claim({two.pk: 1})
            with pytest.raises((OSError, WebSocketException)):
                Client(world.shop, port=line.port).__enter__()
    with Client(world.shop, client.page, port=line.port) as again:
        again.watch()
        again.shows(topics[1], 2)  # with the snapshot, or the push that was on its way

    heard = [item[0] for frame in again.frames for item in frame["items"]]
    assert heard == [topics[1]]


# --- A message is lost, and nobody is told ----------------------------------------


@pytest.mark.parametrize("looks_at_the_digest", [True, False])
def test_frame_lost_on_a_live_socket_is_healed_by_the_digest_alone(
    world, line, looks_at_the_digest
):
    """Without the digest, the control, it stays lost while the socket seems well."""
    variant = make_variant()
    topic = f"stock:{variant.pk}"

    with Client(world.shop, port=line.port) as client:
        client.watch(topic)
        line.swallow(f'"{topic}",2'.encode())
        stock.claim({variant.pk: 1})
        wait_until(lambda: line.swallowed == 1, "the loss", 5)

        def is_stale() -> bool:
            return client.beat()["digest"] != client.page.digest()

        wait_until(is_stale, "a heartbeat of after the loss", 5)
        for _ in range(2):
            assert is_stale()
            assert client.page.shown[topic] == 1
        if looks_at_the_digest:
            client.watch()  # as the page's script does

        healed = client.page.shown[topic] == 2
        assert healed == looks_at_the_digest
        assert client.beat()["digest"] == client.page.digest() or not healed
