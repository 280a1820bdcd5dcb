"""Sockets with a pace, as hidden tabs have: few frames, and nothing lost by it."""

import time
from functools import partial

import pytest

from products.basket import services as basket
from products.live import viewers
from products.live.registry import registry
from products.stock import services as stock
from realtime.hub.slots import PARTS, Slot, slot_for
from realtime.registry import State
from tests.support.counters import counted
from tests.support.factories import make_user, make_variant
from tests.support.page import Page
from tests.support.servers import wait_until
from tests.support.sockets import Socket, session_of

LONG = 60_000  # milliseconds: no turn comes within a test
PACE = 500
OFTEN = 0.01  # seconds between heartbeats: one in each turn
CROWD = 60


@pytest.fixture
def open_socket(hub, loop):
    """Sockets that are closed afterwards, each without an error."""
    sockets = []

    def open_one(
        *names: str, pace: int = 0, cookie: str = "", html: str | None = None
    ) -> Socket:
        page = Page(dict.fromkeys(names, -1))
        page.pace = pace
        sockets.append(Socket(loop, page, cookie))
        sockets[-1].watch(html=html)
        return sockets[-1]

    yield open_one
    for socket in sockets:
        socket.close()


def updates(socket: Socket) -> list[dict]:
    return [frame for frame in tuple(socket.frames) if frame["t"] == "upd"]


def slots(hub) -> set[Slot]:
    return {audience.slot for audience in hub.audiences.sockets if audience.slot}


def take_turn(hub, loop) -> None:
    """The turn of all sockets with a pace."""
    for slot in slots(hub):
        loop.run(hub.paced.take_turn(slot))


def is_right(socket: Socket) -> bool:
    """Whether its page showed what its last frame says that it should."""
    return socket.frames[-1]["digest"] == socket.page.digest()


def test_paced_socket_gets_one_frame_a_period_with_the_newest_state(
    open_socket, settings
):
    settings.LIVE = settings.LIVE | {"HEARTBEAT_S": OFTEN}
    variant = make_variant(on_hand=5000)
    topic = f"stock:{variant.pk}"
    seen, hidden = open_socket(topic), open_socket(topic, pace=PACE)
    begun, version = time.monotonic(), 1

    while time.monotonic() - begun < 4 * PACE / 1000:
        stock.claim({variant.pk: 1})
        version += 1
        time.sleep(0.02)
    seen.shows(topic, version)
    hidden.shows(topic, version)

    periods = (time.monotonic() - begun) / (PACE / 1000)
    frames = [frame for frame in hidden.frames if frame["t"] != "snap"]
    assert 1 <= len(updates(hidden)) <= len(frames) <= periods + 1
    assert len(updates(seen)) > len(frames)


def test_stock_and_basket_share_a_frame_to_a_paced_socket(open_socket, hub, loop):
    variant, user = make_variant(), make_user()
    topic = f"stock:{variant.pk}"
    own = basket.open_for(viewers.Owner(user_id=user.pk))
    basket.add(own, variant.pk, 1)
    cookie = session_of(user)
    seen = open_socket(topic, "basket", cookie=cookie)
    hidden = open_socket(topic, "basket", pace=LONG, cookie=cookie)
    version = hidden.page.shown["basket"]
    stock.claim({variant.pk: 1})
    basket.add(own, variant.pk, 1)
    seen.shows(topic, 2)
    seen.shows("basket", version + 1)
    assert not updates(hidden)  # the premise

    take_turn(hub, loop)

    (frame,) = updates(hidden)
    assert sorted(item[0] for item in frame["items"]) == ["basket", topic]


def test_tab_that_is_shown_again_gets_what_was_held_back(open_socket):
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    seen, hidden = open_socket(topic), open_socket(topic, pace=LONG)
    stock.claim({variant.pk: 4})
    seen.shows(topic, 2)
    assert not updates(hidden)  # the premise

    hidden.page.pace = 0
    items = hidden.watch(is_new=False)["items"]
    stock.claim({variant.pk: 1})

    assert [item[:2] for item in items] == [[topic, 2]]
    assert hidden.shows(topic, 3, seconds=2)["available"] == 5


def test_digest_in_a_turn_covers_the_changes_of_the_turn(open_socket, hub, loop):
    variant, other = make_variant(), make_variant()
    topics = [f"stock:{each.pk}" for each in (variant, other)]
    seen, hidden = open_socket(*topics), open_socket(*topics, pace=LONG)
    for version in (2, 3):
        stock.claim({variant.pk: 1})
        seen.shows(topics[0], version)
    assert hidden.page.shown[topics[0]] == 1  # the premise

    take_turn(hub, loop)

    assert [item[:2] for item in updates(hidden)[-1]["items"]] == [[topics[0], 3]]
    assert is_right(hidden)
    assert hidden.frames[-1]["spread_ms"] >= 0


def test_turn_without_changes_is_sometimes_a_heartbeat(
    open_socket, hub, loop, settings
):
    variant = make_variant()
    hidden = open_socket(f"stock:{variant.pk}", pace=LONG)
    settings.LIVE = settings.LIVE | {"HEARTBEAT_S": LONG}
    take_turn(hub, loop)
    assert [frame["t"] for frame in hidden.frames] == ["snap"]

    settings.LIVE = settings.LIVE | {"HEARTBEAT_S": OFTEN}
    take_turn(hub, loop)

    assert [frame["t"] for frame in hidden.frames] == ["snap", "hb"]
    assert is_right(hidden)


def test_paced_socket_without_topics_gets_heartbeats(open_socket, hub, loop, settings):
    settings.LIVE = settings.LIVE | {"HEARTBEAT_S": OFTEN}
    hidden = open_socket(pace=LONG)

    take_turn(hub, loop)

    assert hidden.frames[-1] == {"t": "hb", "digest": "00000000", "spread_ms": 0} | {
        "spread_ms": hidden.frames[-1]["spread_ms"]
    }


def test_heartbeat_for_all_is_not_sent_to_paced_sockets(
    open_socket, hub, loop, settings
):
    settings.LIVE = settings.LIVE | {"HEARTBEAT_S": 0.1}
    variant = make_variant()
    seen = open_socket(f"stock:{variant.pk}")
    hidden = open_socket(f"stock:{variant.pk}", pace=LONG)

    again = loop.spawn(hub.heartbeats.run())
    wait_until(lambda: seen.frames[-1]["t"] == "hb", "the heartbeat", 3)
    loop.call(again.cancel)

    assert [frame["t"] for frame in hidden.frames] == ["snap"]


@pytest.mark.parametrize("is_new", [True, False])
def test_turn_is_right_for_a_socket_that_subscribed_since_the_last(
    open_socket, hub, loop, monkeypatch, is_new
):
    monkeypatch.setattr("realtime.hub.slots.PARTS", 1)  # so that they share an audience
    variant, other = make_variant(), make_variant()
    topics = [f"stock:{each.pk}" for each in (variant, other)]
    seen = open_socket(*topics)
    asks, waits = open_socket(*topics, pace=LONG), open_socket(*topics, pace=LONG)
    stock.claim({variant.pk: 1})
    seen.shows(topics[0], 2)

    if is_new:
        asks = open_socket(*topics, pace=LONG)
    else:
        asks.watch(is_new=False)
    stock.claim({other.pk: 1})
    seen.shows(topics[1], 2)
    assert asks.page.shown == dict(zip(topics, (2, 1)))  # the premise
    assert len(hub.audiences.sockets) == 2
    take_turn(hub, loop)

    for socket in (asks, waits):
        assert socket.page.shown == dict.fromkeys(topics, 2)
        assert is_right(socket)


def test_change_before_the_tick_is_in_the_turn(open_socket, hub, loop):
    """The state is newer than what the last tick told: the turn sends the newest."""
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    seen, hidden = open_socket(topic), open_socket(topic, pace=LONG)
    stock.claim({variant.pk: 1})
    facts = seen.shows(topic, 2)
    (slot,) = slots(hub)

    async def turn_before_the_tick() -> None:
        hub.topics.accept(hub.topics.by_key[topic], State(3, facts))
        await hub.paced.take_turn(slot)

    loop.run(turn_before_the_tick())

    assert hidden.page.shown[topic] == 3
    assert is_right(hidden)
    seen.shows(topic, 3)


def test_change_during_a_turn_reaches_all_sockets(open_socket, hub, loop, monkeypatch):
    monkeypatch.setattr("realtime.hub.slots.PARTS", 1)
    monkeypatch.setattr("realtime.hub.writing.YIELD_EVERY", 1)
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    crowd = [open_socket(topic, pace=LONG) for _ in range(3)]
    (slot,) = slots(hub)
    right = []

    def change_after(socket: Socket, frame: dict) -> None:
        socket.page.hear(frame)
        right.append(frame["digest"] == socket.page.digest())
        state = hub.topics.by_key[topic].state
        newer = State(state.version + 1, state.facts)
        hub.topics.accept(hub.topics.by_key[topic], newer)

    for socket in crowd:
        socket.heard = partial(change_after, socket)
    stock.claim({variant.pk: 1})
    wait_until(lambda: hub.topics.by_key[topic].version == 2, "the change", 3)
    loop.run(hub.paced.take_turn(slot))
    newest = hub.topics.by_key[topic].version
    assert {socket.page.shown[topic] for socket in crowd} == {2, 3, 4}  # the premise
    for socket in crowd:
        socket.heard = socket.page.hear
    loop.run(hub.paced.take_turn(slot))

    assert right == [True] * 3
    assert {socket.page.shown[topic] for socket in crowd} == {newest}


def test_slow_paced_socket_gets_the_newest_state_once(open_socket, hub, loop):
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    seen, hidden = open_socket(topic), open_socket(topic, pace=LONG)

    def change(version: int) -> None:
        stock.claim({variant.pk: 1})
        seen.shows(topic, version)

    loop.call(hidden.can_send.clear)
    for version in (2, 3):  # the first is under way, the second is owed
        change(version)
        take_turn(hub, loop)
    change(4)
    loop.call(hidden.can_send.set)
    hidden.shows(topic, 4)
    assert [item[1] for frame in updates(hidden) for item in frame["items"]] == [2, 4]
    change(5)
    take_turn(hub, loop)

    hidden.shows(topic, 5)
    assert is_right(hidden)


def test_hidden_tabs_get_their_frames_in_several_parts(open_socket):
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    crowd = [open_socket(topic, pace=1000) for _ in range(CROWD)]
    times: list[float] = []
    for socket in crowd:
        show = socket.heard
        socket.heard = lambda frame, show=show: (times.append(time.time()), show(frame))

    stock.claim({variant.pk: 1})
    for socket in crowd:
        socket.shows(topic, 2)

    busiest = max(sum(t <= other < t + 0.08 for other in times) for t in times)
    assert busiest < CROWD * 4 / PARTS
    assert max(times) - min(times) > 0.4


def test_change_is_rendered_once_for_all_hidden_tabs(open_socket, monkeypatch):
    renders = []
    render = registry.render
    monkeypatch.setattr(
        registry, "render", lambda *arguments: renders.append(1) or render(*arguments)
    )
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    crowd = [open_socket(topic, pace=PACE, html="en") for _ in range(20)]
    before, frames = len(renders), counted("shop_frames_total")

    stock.claim({variant.pk: 1})
    for socket in crowd:
        socket.shows(topic, 2)

    assert len(renders) - before == 1
    assert counted("shop_frames_total") - frames == len(crowd)


def test_hub_removes_empty_slots(hub, loop, db):
    variant = make_variant()
    for _ in range(2):
        hidden = Socket(loop, Page({f"stock:{variant.pk}": -1}))
        hidden.page.pace = LONG
        hidden.watch()
        (slot,) = slots(hub)
        hidden.close()

        loop.run(hub.paced.take_turn(slot))

        assert not loop.call(lambda: hub.paced._turns._slots)


def test_subscribing_again_brings_no_earlier_turn(open_socket, hub):
    variant = make_variant()
    hidden = open_socket(f"stock:{variant.pk}", pace=PACE)
    (before,) = hub.audiences.sockets

    for _ in range(10):
        hidden.watch(is_new=False)

    assert list(hub.audiences.sockets) == [before]


def test_paces_are_rounded_to_few_slots():
    slots = {slot_for(pace, None, 500) for pace in range(1, 60_001)}

    assert len(slots) <= 120 * PARTS
    assert all(
        pace <= slot_for(pace, None, 500).period_ms < pace + 500
        for pace in (1, 499, 500, 501, 5000, 59_999, 60_000)
    )
