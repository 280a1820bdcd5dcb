"""What /metrics says moves when its thing happens. (Refusals: `test_admission.py`;
slow sockets: `test_slow.py`.)"""

import re
from collections.abc import Callable, Iterator

import pytest
from django.db.models import F

from products.models import Stock
from products.stock import services as stock
from project.background import GAUGES
from tests.support import prometheus
from tests.support.client import Client
from tests.support.factories import make_user, make_variant
from tests.support.servers import Daphne, Shop, wait_until
from tests.support.shopper import Shopper
from tests.system.answers import get, metrics

LONG_S = 20
# A topic without a product. On a fresh database, the next product has a low number: its
# first push would be counted with what a test counts.
NO_PRODUCT = f"stock:{2**40}"


class Counted:
    """How much samples have grown since the last look."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.look()

    def look(self) -> None:
        self._before = metrics(self._shop)

    def grew(self, name: str) -> float:
        return metrics(self._shop).get(name, 0) - self._before.get(name, 0)

    def will_grow(self, name: str, by: float = 1) -> None:
        wait_until(lambda: self.grew(name) >= by, name, LONG_S)


@pytest.fixture(scope="module")
def started(django_db_setup, tmp_path_factory, shared_redis, static) -> Iterator[Shop]:
    often = {"LIVE_AUDIT_S": "3600", "LIVE_PROBE_S": "0.3", "LIVE_SOCKETS": "500"}
    server = Daphne(
        tmp_path_factory.mktemp("counting"), shared_redis.url, **static, **often
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(transactional_db, redis, started) -> Shop:
    """One that no other test's sockets are counted in: the last one's are gone."""
    wait_until(lambda: not sockets(started), "the end of other tests", LONG_S)
    return started


def sockets(server: Shop) -> float:
    said = metrics(server)
    return sum(said[name] for name in said if name.startswith("shop_sockets{"))


@pytest.fixture
def counted(server) -> Counted:
    return Counted(server)


def test_sockets_are_counted_by_who_they_are_of_and_until_they_close(server, counted):
    public, personal = ('shop_sockets{kind="%s"}' % k for k in ("public", "personal"))
    shopper = Shopper(server, make_user())

    with Client(server) as client, shopper.socket() as tab:
        client.watch(NO_PRODUCT)
        tab.watch("basket")
        assert (counted.grew(public), counted.grew(personal)) == (1, 1)
        assert counted.grew("shop_handshake_seconds_count") == 2

    counted.will_grow('shop_closes_total{code="1000"}', 2)
    assert (counted.grew(public), counted.grew(personal)) == (0, 0)


def test_change_is_counted_as_a_frame_a_tick_and_a_lag(server, counted):
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    with Client(server) as one, Client(server) as other:
        one.watch(topic)
        other.watch(topic)
        counted.look()

        level = stock.receive(variant.pk, 1)
        for client in (one, other):
            client.shows(topic, level.version)

        counted.will_grow("shop_push_lag_seconds_count")
        assert counted.grew("shop_frames_total") == 2
        assert counted.grew("shop_tick_seconds_count") == 1


def test_snapshots_are_counted_by_where_they_came_from(server, counted):
    variant = make_variant()
    for name in ("misses", "hits"):
        with Client(server) as client:
            client.watch(f"stock:{variant.pk}")
        assert counted.grew(f"shop_snapshot_{name}_total") == 1
    assert counted.grew("shop_snapshot_misses_total") == 1


def test_pulse_of_the_loop_and_of_redis_is_taken_all_the_time(server, counted):
    with Client(server) as client:  # the first one starts the hub
        client.watch(NO_PRODUCT)

        counted.will_grow("shop_loop_lag_seconds_count", 2)
        counted.will_grow("shop_probe_seconds_count", 2)


def lose(variant) -> int:
    """Change the stock as somebody would who tells nobody; gives its version."""
    Stock.objects.filter(pk=variant.pk).update(version=F("version") + 1)
    return Stock.objects.get(pk=variant.pk).version


def test_message_that_was_lost_is_counted_as_a_gap(quick):
    variant, counted = make_variant(), Counted(quick)
    with Client(quick) as client:
        client.watch(f"stock:{variant.pk}")
        assert client.hears_nothing(1)  # the hub, which has just started, looks twice
        client.shows(f"stock:{variant.pk}", lose(variant), LONG_S)

        counted.will_grow("shop_gaps_total")


def test_redis_that_returns_is_counted_as_a_resync(own_redis, serve):
    own_redis.start()
    shop = serve(own_redis, LIVE_PROBE_S="0.1")
    counted = Counted(shop)
    with Client(shop) as client:
        client.watch(NO_PRODUCT)
        own_redis.kill()
        wait_until(lambda: metrics(shop)["shop_degraded"] == 1, "the alarm", LONG_S)
        own_redis.start()

        counted.will_grow("shop_resyncs_total")
        assert metrics(shop)["shop_degraded"] == 0


def series(shop: Shop) -> set[str]:
    """The names of all samples that there are or may be."""
    names = set()
    for name, kind in re.findall(
        r"^# TYPE (\S+) (\S+)$", get(shop, "/metrics")[2], re.MULTILINE
    ):
        endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {f"{name}{ending}" for ending in endings}
    return names


def test_every_series_that_an_alert_reads_is_there(server):
    read_by_alerts = {
        n for r in prometheus.rules() for n in prometheus.names(r["expr"])
    }

    assert read_by_alerts - series(server) == prometheus.OTHERS


def test_background_work_is_told_by_a_server(server):
    ups = {'shop_background_up{source="%s"}' % s for s in ("database", "redis")}
    wait_until(lambda: {metrics(server)[up] for up in ups} == {1}, "an answer", LONG_S)

    said = metrics(server)

    assert {name.split("{")[0] for name in said} >= GAUGES.keys()
    assert said["shop_sockets_limit"] == 500


def test_counter_of_what_did_not_happen_stays(counted):
    """The control: looking counts nothing."""
    seen: Callable[[str], float] = counted.grew

    assert seen("shop_frames_total") == 0
    assert seen("shop_gaps_total") == 0
    assert seen("shop_resyncs_total") == 0
    assert seen("shop_slow_cuts_total") == 0
