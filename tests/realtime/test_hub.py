"""The hub in the test's own process, with the real application, Redis and
PostgreSQL."""

import asyncio
import json
import threading
import time
from collections import Counter

import pytest
from prometheus_client import REGISTRY

from products.live import baskets
from products.live.registry import registry
from products.models import Stock
from products.stock import services as stock
from realtime import protocol
from realtime.hub import sockets as hub_sockets
from realtime.hub import writing
from realtime.hub.checks import Audit
from realtime.hub.health import Health
from tests.support.factories import make_product, make_user
from tests.support.page import Page
from tests.support.servers import wait_until
from tests.support.sockets import Socket, session_of

SOCKETS = 1000


@pytest.fixture
def loads(monkeypatch) -> list[list[str]]:
    """The keys of each load from the database."""
    loads = []
    load = registry.load

    def counting_load(keys):
        loads.append(sorted(keys))
        return load(keys)

    monkeypatch.setattr(registry, "load", counting_load)
    return loads


@pytest.fixture
def renders(monkeypatch) -> Counter:
    """How often each topic was rendered, by key and language."""
    renders = Counter()
    render = registry.render

    def counting_render(key, state, language):
        renders[key, language] += 1
        return render(key, state, language)

    monkeypatch.setattr(registry, "render", counting_render)
    return renders


@pytest.fixture
def no_checks(settings) -> None:
    """A hub that starts now neither probes Redis nor, unless Redis fails, audits."""
    settings.LIVE = settings.LIVE | {"AUDIT_S": 600, "PROBE_S": 600}


def test_thousand_sockets_that_subscribe_at_once_cost_two_queries_at_most(
    open_socket, loads, renders
):
    products = [make_product() for _ in range(3)]
    topics = {f"stock:{product.pk}": None for product in products}
    frame = {"t": "sub", "id": 1, "topics": topics, "html": "en"}

    sockets = [open_socket() for _ in range(SOCKETS)]
    for socket in sockets:
        socket.send(frame)
    wait_until(lambda: all(socket.snaps for socket in sockets), "snapshots", 20)

    assert {len(socket.snaps[0]["items"]) for socket in sockets} == {3}
    assert len(loads) <= 2  # one more for who came while the first was under way
    assert sum(renders.values()) == 3


def test_thousand_stale_pages_that_subscribe_at_once_cost_two_queries_at_most(
    open_socket, loads
):
    """Such pages come from the page cache. The socket brings what they missed."""
    products = [make_product() for _ in range(3)]
    topics = {f"stock:{product.pk}": product.stock.version for product in products}
    for product in products:
        stock.claim({product.pk: 4})
    frame = {"t": "sub", "id": 1, "topics": topics, "html": "en"}

    sockets = [open_socket() for _ in range(SOCKETS)]
    for socket in sockets:
        socket.send(frame)
    wait_until(lambda: all(socket.snaps for socket in sockets), "snapshots", 20)

    shown = [item[2]["available"] for s in sockets for item in s.snaps[0]["items"]]
    assert shown == [6] * 3 * SOCKETS
    assert len(loads) <= 2


def test_update_is_rendered_once_for_each_language(open_socket, renders, settings):
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    product = make_product()
    topic = f"stock:{product.pk}"
    sockets = {html: [open_socket() for _ in range(5)] for html in ("en", "de", None)}
    for html, group in sockets.items():
        for socket in group:
            socket.watch(topic, html=html)
    renders.clear()

    stock.claim({product.pk: 1})
    for html, group in sockets.items():
        for socket in group:
            socket.shows(topic, 2)
            assert (socket.page.html[topic] is None) is (html is None)

    assert renders == {(topic, "en"): 1, (topic, "de"): 1}


def test_audience_in_another_language_gets_its_own_html(open_socket, settings):
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    product = make_product()
    topic = f"stock:{product.pk}"
    english, german = open_socket(), open_socket()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "render", lambda key, state, language: f"<p>{language}")
        english.watch(topic, html="en")
        german.watch(topic, html="de")
        stock.claim({product.pk: 1})
        english.shows(topic, 2)
        german.shows(topic, 2)

    assert (english.page.html[topic], german.page.html[topic]) == ("<p>en", "<p>de")


def test_second_subscription_costs_no_query(open_socket, loads):
    product = make_product()
    socket = open_socket()
    socket.watch(f"stock:{product.pk}")

    for _ in range(5):
        assert socket.watch(is_new=False)["items"] == []

    assert len(loads) == 1


def test_page_with_a_higher_version_makes_the_hub_reload(hub, loop, open_socket):
    """An event was lost, and the page was made from the database afterwards."""
    product = make_product()
    topic = f"stock:{product.pk}"
    first = open_socket()
    first.watch(topic)
    lose_events(loop, hub)
    stock.claim({product.pk: 1})
    assert first.page.shown[topic] == 1  # the premise: it was lost

    open_socket(Page({topic: 2})).watch()

    assert first.shows(topic, 2)["available"] == 9


def lose_events(loop, hub) -> None:
    """The hub hears nothing more from the layer."""
    from realtime.publish import flush

    assert flush()
    loop.call(setattr, hub.listener, "hear", lambda event: None)


def test_slow_socket_gets_the_newest_state_once(open_socket, loop):
    one, two, three = products = [make_product() for _ in range(3)]
    topics = [f"stock:{product.pk}" for product in products]
    quick, slow = open_socket(), open_socket()
    for socket in (quick, slow):
        socket.watch(*topics)
    count = len(slow.frames)

    loop.call(slow.can_send.clear)
    for version in range(2, 7):
        stock.claim({one.pk: 1})
        quick.shows(topics[0], version)
    stock.claim({two.pk: 1})
    quick.shows(topics[1], 2)
    assert len(slow.frames) == count  # the premise
    loop.call(slow.can_send.set)

    assert slow.shows(topics[0], 6)["available"] == 5
    slow.shows(topics[1], 2)
    first, second = (frame["items"] for frame in slow.frames[count:])
    assert [item[:2] for item in first] == [[topics[0], 2]]  # was under way
    assert [item[:2] for item in second] == sorted([[topics[0], 6], [topics[1], 2]])


def test_socket_that_fails_does_not_stop_a_fan_out(open_socket):
    product = make_product()
    topic = f"stock:{product.pk}"
    broken, other = open_socket(), open_socket()
    broken.watch(topic)
    other.watch(topic)

    def fail(frame: dict) -> None:
        raise OSError("gone")

    broken.heard = fail
    for version in (2, 3):
        stock.claim({product.pk: 1})
        assert other.shows(topic, version)["available"] == 11 - version


def test_topic_without_watchers_is_forgotten_after_a_while(hub, loop, settings):
    settings.LIVE = settings.LIVE | {"LINGER_S": 0.2}
    product = make_product()
    socket = Socket(loop)
    socket.watch(f"stock:{product.pk}", "basket")
    socket.close()

    assert loop.call(lambda: set(hub.audiences.listening)) == {
        f"stock:{product.pk}",
        "basket:",
    }
    wait_until(lambda: not loop.call(lambda: hub.topics.by_key), "forgetting", 6)
    assert not loop.call(lambda: hub.audiences.sockets)
    assert not loop.call(lambda: hub.audiences.listening)


def test_basket_topics_of_a_visitor_without_a_basket_cost_no_query(open_socket, loads):
    socket = open_socket()
    socket.watch("basket", "basket:lines")

    assert socket.page.facts["basket"] == baskets.EMPTY_BASKET
    assert socket.page.facts["basket:lines"] == baskets.NO_LINES
    assert loads == []


def test_topic_that_did_not_exist_is_found_once_it_does(open_socket):
    product = make_product()
    socket = open_socket()
    unknown = f"stock:{product.pk + 1}"
    socket.send({"t": "sub", "id": 1, "topics": {unknown: None}})
    wait_until(lambda: socket.snaps, "the snapshot", 5)
    assert socket.frames[0]["topics"] == [unknown]

    later = make_product()
    assert f"stock:{later.pk}" == unknown  # the premise
    other = open_socket()
    wait_until(lambda: other.watch(unknown, is_new=False)["items"], "it", 3)


def test_heartbeat_has_the_digest_of_both_audiences(open_socket, settings, hub, loop):
    product = make_product()
    socket = open_socket(cookie=session_of(make_user()))
    socket.watch(f"stock:{product.pk}", "basket")

    loop.call(beat, hub)
    wait_until(lambda: socket.frames[-1]["t"] == "hb", "the heartbeat", 3)

    assert socket.frames[-1]["digest"] == socket.page.digest()
    both = {f"stock:{product.pk}": 1, "basket": 0}.items()
    total = sum(protocol.fingerprint(*entry) for entry in both) & protocol.MASK
    assert socket.page.digest() == f"{total:08x}"


def beat(hub) -> None:
    hub.heartbeats.beat(hub.audiences.sockets_without_slot())


def test_job_that_fails_is_logged_and_runs_again(
    open_socket, hub, loop, monkeypatch, caplog
):
    product = make_product()
    topic = f"stock:{product.pk}"
    socket = open_socket()
    socket.watch(topic, html="en")
    monkeypatch.setattr(registry, "render", lambda *arguments: 1 / 0)
    stock.claim({product.pk: 1})
    wait_until(lambda: "Writer.run failed" in caplog.text, "the log", 3)
    monkeypatch.undo()

    stock.claim({product.pk: 1})

    assert socket.shows(topic, 3)["available"] == 8
    loop.call(beat, hub)
    assert json.loads(protocol.hb(protocol.Beat(0, 0)))["t"] == "hb"


def test_burst_of_changes_is_one_frame_in_each_tick(open_socket):
    product = make_product(on_hand=500)
    topic = f"stock:{product.pk}"
    socket = open_socket()
    socket.watch(topic)
    begun = time.monotonic()

    for _ in range(200):
        stock.claim({product.pk: 1})
    socket.shows(topic, 201)

    ticks = (time.monotonic() - begun) / 0.05
    assert len(socket.frames) - 1 <= ticks + 1


@pytest.mark.parametrize("failure", [RuntimeError("closed"), OSError("reset")])
def test_client_that_leaves_during_an_answer_is_no_error(open_socket, hub, db, failure):
    product = make_product()
    left, stays = open_socket(), open_socket()
    stays.watch(f"stock:{product.pk}")
    left.failure = failure

    left.send({"t": "sub", "id": 1, "topics": {f"stock:{product.pk}": None}})

    left.served()  # would raise what the application raised
    assert [topic.watchers for topic in hub.topics.by_key.values()] == [1]


class Crowd:
    """Sockets without a network, enough for a fan-out that takes long."""

    def __init__(self, hub, key: str) -> None:
        self.hub, self.key, self.turns = hub, key, 0
        for _ in range(SOCKETS):
            audience = hub_sockets.Audience(frozenset([key]), None)
            hub.audiences.move(SilentSocket(), (audience,))

    async def fan_out(self) -> int:
        """Returns how often another task ran meanwhile."""
        others = asyncio.ensure_future(self._count())
        await self.hub.writer.write({self.key})
        others.cancel()
        return self.turns

    async def _count(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


class SilentSocket:
    audiences, is_dismissed = (), False

    def push(self, frame, keys) -> bool:
        return True


@pytest.mark.parametrize("every, turns", [(writing.YIELD_EVERY, 10), (10**6, 0)])
def test_fan_out_lets_other_tasks_run(
    hub, loop, open_socket, monkeypatch, every, turns
):
    """Such as handshakes, pages and health checks. The second case is the control."""
    monkeypatch.setattr(writing, "YIELD_EVERY", every)
    product = make_product()
    open_socket().watch(f"stock:{product.pk}")

    crowd = loop.call(Crowd, hub, f"stock:{product.pk}")

    assert loop.run(crowd.fan_out()) == turns


def test_recovery_finds_a_lost_change_while_an_older_audit_still_runs(
    no_checks, hub, loop, open_socket, monkeypatch
):
    """The audit of a degraded hub has read the old version, and is not over yet."""
    product = make_product()
    topic = f"stock:{product.pk}"
    socket = open_socket()
    socket.watch(topic)
    has_looked, may_end = threading.Event(), threading.Event()
    versions = registry.versions

    def slow_versions(keys):
        found = versions(keys)
        if not has_looked.is_set():
            has_looked.set()
            may_end.wait(20)
        return found

    monkeypatch.setattr(registry, "versions", slow_versions)
    loop.call(hub.health.fail, OSError("Redis is away"))
    assert has_looked.wait(5)
    Stock.objects.update(version=2, reserved=1)  # and nobody says so

    loop.run(hub.layer_check.recover())

    assert socket.shows(topic, 2)["available"] == 9
    may_end.set()


@pytest.fixture
def no_audits(monkeypatch) -> None:
    """A hub that starts now never audits on its own."""

    async def wait(audit: Audit) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Audit, "run", wait)


@pytest.fixture
def audit(no_audits, no_checks, hub) -> Audit:
    """An audit that runs when the test says so.

    The hub's own may run once more than the test asks: on a busy machine Redis may
    answer too late as the hub begins to listen, and then the hub polls the database and
    counts no gaps.
    """
    parts = hub.registry, hub.database, hub.topics, hub.loader, hub.viewers
    return Audit(*parts, Health())


@pytest.mark.parametrize("is_late", [True, False])
@pytest.mark.parametrize("comes, gaps", [(True, 0), (False, 1)])
def test_change_that_an_audit_finds_is_a_gap_only_if_its_message_never_comes(
    audit, hub, loop, open_socket, comes, gaps, is_late
):
    """`is_late`: Redis answered too late as the hub began to listen."""
    product = make_product()
    topic = f"stock:{product.pk}"
    socket = open_socket()
    socket.watch(topic)
    if is_late:
        loop.call(hub.health.fail, OSError("too late"))
    before = counted("shop_gaps_total")
    Stock.objects.update(version=2, reserved=1)
    loop.run(audit.compare())
    facts = socket.shows(topic, 2)

    if comes:
        loop.call(hub.listener.hear, {"topic": topic, "version": 2, "facts": facts})
    loop.run(audit.compare())

    assert counted("shop_gaps_total") - before == gaps


def test_backlog_metric_counts_topics_that_are_not_written_yet(hub, loop, open_socket):
    product = make_product()
    open_socket().watch(f"stock:{product.pk}")
    assert counted("shop_dirty_backlog") == 0

    hub.topics.dirty.add(f"stock:{product.pk}")

    assert counted("shop_dirty_backlog") == 1


def test_message_of_a_change_is_counted(open_socket):
    product = make_product()
    socket = open_socket()
    socket.watch(f"stock:{product.pk}")
    before = counted("shop_messages_total")

    stock.claim({product.pk: 1})
    socket.shows(f"stock:{product.pk}", 2)

    assert counted("shop_messages_total") - before == 1


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name)
