"""One door for pushes: from a page, a task and a command, over one connection, and
what does not get through it is found."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import redis as redis_py
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.utils import timezone

from products.basket import holds
from products.basket import services as basket
from products.live.viewers import Owner
from products.models import Basket, Stock
from products.stock import services as stock
from products.tasks import release_lapsed_holds
from realtime.publish import flush, group_of, publish
from tests.support.client import Client
from tests.support.factories import make_user, make_variant
from tests.support.layers import publishing_at
from tests.support.servers import Daphne, Redis
from tests.support.shopper import Shopper
from tests.support.workers import Worker, broker_at

ROOT = Path(__file__).resolve().parent.parent.parent
HEALED_S = 30
LONG_S = 20


@pytest.fixture(scope="module")
def started(
    django_db_setup, tmp_path_factory, shared_redis, static
) -> Iterator[Daphne]:
    never = {"LIVE_AUDIT_S": "3600", "LIVE_PROBE_S": "3600"}
    folder = tmp_path_factory.mktemp("pushing")
    server = Daphne(folder, shared_redis.url, **static, **never)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(transactional_db, redis, started) -> Daphne:
    """One that hears of changes by pushes alone: it neither audits nor probes (on a
    machine so busy that a probe is late, everything is compared)."""
    return started


# --- From wherever the shop is changed ----------------------------------------------


def publishing(server: Redis) -> set[str]:
    """The connections whose last word was a publication."""
    with redis_py.Redis.from_url(server.url) as client:
        return {each["id"] for each in client.client_list() if each["cmd"] == "publish"}


def test_changes_by_pages_are_pushed_over_one_connection(redis, serve):
    shop = serve(redis, LIVE_AUDIT_S="3600", LIVE_PROBE_S="3600")
    variant, shopper, used = make_variant(), Shopper(shop), []
    with Client(shop) as client:
        client.watch(f"stock:{variant.pk}")  # so that the hub has published its probe
        before = publishing(redis)
        shopper.add(variant)

        with shopper.socket() as tab:
            tab.watch("basket")
            for count in range(2, 8):
                shopper.add(variant)
                assert tab.shows("basket", count, LONG_S)["count"] == count
                used.append(publishing(redis) - before)

    assert len(used[0]) == 1
    assert used == used[:1] * 6


@pytest.fixture
def worker(redis, tmp_path, transactional_db) -> Iterator[Worker]:
    worker = Worker(tmp_path, redis.url)
    worker.launch()
    worker.wait()
    yield worker
    worker.kill()


def test_changes_by_tasks_are_pushed_over_one_connection_per_process(
    redis, server, worker
):
    variant = make_variant(on_hand=3)
    held = basket.open_for(Owner(user_id=make_user().pk))
    basket.add(held, variant.pk, 2)
    past = timezone.now() - timedelta(minutes=1)
    topic, used = f"stock:{variant.pk}", []

    with Client(server) as client:
        client.watch(topic)
        for number in range(5):
            holds.start(held)
            version = Stock.objects.get(pk=variant.pk).version
            assert client.shows(topic, version, LONG_S)["available"] == 1
            Basket.objects.filter(pk=held.pk).update(held_until=past)
            if not number:
                before = publishing(redis)  # ours and the hub's
            with broker_at(redis.url):
                release_lapsed_holds.delay()
            assert client.shows(topic, version + 1, LONG_S)["available"] == 3
            used.append(publishing(redis) - before)

    assert len(used[0]) == 1
    assert all(fewer <= more for fewer, more in pairwise(used))  # they stay
    assert len(used[-1]) <= 2  # the worker's processes


def test_change_by_a_command_is_pushed(server, tmp_path):
    variant = make_variant(on_hand=3)
    topic = f"stock:{variant.pk}"
    file = tmp_path / "stock.csv"
    file.write_text(f"sku,stock\n{variant.sku},8\n")

    with Client(server) as client:
        client.watch(topic)
        command = [sys.executable, "manage.py", "import_products", str(file)]
        done = subprocess.run(
            command, cwd=ROOT, env=server.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

        changed = client.until(
            lambda frame: client.page.facts[topic]["available"] == 8, LONG_S
        )
        assert changed["t"] == "upd"


# --- Its connections ----------------------------------------------------------------


def connections(server: Redis) -> int:
    """How many there have been so far, this one included."""
    with redis_py.Redis.from_url(server.url) as client:
        return client.info("stats")["total_connections_received"]


def test_many_pushes_take_one_connection(redis):
    publish("stock:1", version=1, facts={})
    assert flush(LONG_S)
    before = connections(redis)

    for number in range(100):
        publish(f"stock:{number}", version=2, facts={})
        assert flush(LONG_S)

    assert connections(redis) - before == 1, "the one that counts"


def test_tutorial_opens_a_connection_for_each_push(redis):
    """The control."""
    before = connections(redis)

    for _ in range(20):
        send = async_to_sync(get_channel_layer().group_send)
        send(group_of("stock:1"), {"type": "live"})

    assert connections(redis) - before >= 20


# --- What does not get through ------------------------------------------------------


def test_audit_repairs_a_push_that_failed_after_the_commit(
    redis, serve, server, tmp_path
):
    """As it is by default; the control is a shop that never looks."""
    auditing = serve(redis, LIVE_AUDIT_S="3", LIVE_PROBE_S="3600")
    variant = make_variant(on_hand=3)
    topic = f"stock:{variant.pk}"

    with Client(auditing) as client, Client(server) as blind:
        for each in (client, blind):
            each.watch(topic)
        # Hubs that have just started look twice.
        assert client.hears_nothing(1) and blind.hears_nothing(0.2)
        with publishing_at(f"unix://{tmp_path}/nobody.sock?db=0"):
            level = stock.receive(variant.pk, 4)

        shown = client.shows(topic, level.version, HEALED_S)

        assert shown["available"] == 7
        assert blind.hears_nothing(1)
