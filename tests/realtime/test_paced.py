"""Sockets with a pace, as hidden tabs have: few frames, and nothing lost by it."""

import time

import pytest
from prometheus_client import REGISTRY

from products import live
from products.services import basket, stock
from realtime.paced import PARTS
from tests.factories import make_product, make_user
from tests.live.page import Page
from tests.realtime.sockets import Socket, session_of
from tests.servers import wait_until

LONG = 60_000  # milliseconds: no turn comes within a test
PACE = 400
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


def beat(hub, loop, socket: Socket) -> tuple[str, str]:
    """The digest of a heartbeat that the socket gets now, and that of its page then."""

    def both() -> tuple[str, str]:
        hub._beat_to([s for group in hub._audiences.values() for s in group])
        beats = [frame for frame in socket.frames if frame["t"] == "hb"]
        return beats[-1]["digest"], socket.page.digest()

    return loop.call(both)


def test_paced_socket_gets_one_frame_a_period_with_the_newest_state(open_socket):
    product = make_product(on_hand=500)
    topic = f"stock:{product.pk}"
    seen, hidden = open_socket(topic), open_socket(topic, pace=PACE)
    begun, version = time.monotonic(), 1

    while time.monotonic() - begun < 4 * PACE / 1000:
        stock.claim({product.pk: 1})
        version += 1
        seen.shows(topic, version)
    hidden.shows(topic, version)

    periods = (time.monotonic() - begun) / (PACE / 1000)
    assert 1 <= len(updates(hidden)) <= periods + 1
    assert len(updates(seen)) > 2 * len(updates(hidden))


def test_stock_and_basket_that_change_are_one_frame_to_a_paced_socket(
    open_socket, hub, loop
):
    product, user = make_product(), make_user()
    topic = f"stock:{product.pk}"
    own = basket.open_for(live.Owner(user_id=user.pk))
    basket.add(own, product.pk, 1)
    cookie = session_of(user)
    seen = open_socket(topic, "basket", cookie=cookie)
    hidden = open_socket(topic, "basket", pace=LONG, cookie=cookie)
    version = hidden.page.shown["basket"]
    stock.claim({product.pk: 1})
    basket.add(own, product.pk, 1)
    seen.shows(topic, 2)
    seen.shows("basket", version + 1)
    assert not updates(hidden)  # the premise

    loop.run(hub._pay_in(next(a.slot for a in hub._audiences if a.slot)))

    (frame,) = updates(hidden)
    assert sorted(item[0] for item in frame["items"]) == ["basket", topic]


def test_paced_socket_that_is_seen_again_is_told_what_was_held_back(open_socket):
    product = make_product()
    topic = f"stock:{product.pk}"
    seen, hidden = open_socket(topic), open_socket(topic, pace=LONG)
    stock.claim({product.pk: 4})
    seen.shows(topic, 2)
    assert not updates(hidden)  # the premise

    hidden.page.pace = 0
    items = hidden.watch(is_new=False)["items"]
    stock.claim({product.pk: 1})

    assert [item[:2] for item in items] == [[topic, 2]]
    assert hidden.shows(topic, 3, seconds=2)["available"] == 5


def test_heartbeat_to_a_paced_socket_is_of_what_it_was_sent(open_socket, hub, loop):
    product, other = make_product(), make_product()
    topics = [f"stock:{each.pk}" for each in (product, other)]
    seen, hidden = open_socket(*topics), open_socket(*topics, pace=LONG)
    for version in (2, 3):
        stock.claim({product.pk: 1})
        seen.shows(topics[0], version)

    told, shown = beat(hub, loop, hidden)
    assert told == shown
    assert hidden.page.shown[topics[0]] == 1  # the premise
    told, shown = beat(hub, loop, seen)
    assert told == shown


@pytest.mark.parametrize("is_new", [True, False])
def test_heartbeat_to_who_asked_while_others_were_owed_is_of_the_answer(
    open_socket, hub, loop, monkeypatch, is_new
):
    monkeypatch.setattr("realtime.paced.PARTS", 1)  # so that they share an audience
    product, other = make_product(), make_product()
    topics = [f"stock:{each.pk}" for each in (product, other)]
    seen = open_socket(*topics)
    asks, waits = open_socket(*topics, pace=LONG), open_socket(*topics, pace=LONG)
    stock.claim({product.pk: 1})
    seen.shows(topics[0], 2)

    if is_new:
        asks = open_socket(*topics, pace=LONG)
    else:
        asks.watch(is_new=False)
    stock.claim({other.pk: 1})
    seen.shows(topics[1], 2)

    assert asks.page.shown == dict(zip(topics, (2, 1)))  # the premise
    assert len(hub._audiences) == 2
    for socket in (asks, waits, seen):
        told, shown = beat(hub, loop, socket)
        assert told == shown


def test_heartbeat_after_a_turn_is_of_what_it_brought(open_socket, hub, loop):
    product = make_product(on_hand=500)
    topic = f"stock:{product.pk}"
    sockets = [open_socket(topic, pace=PACE) for _ in range(5)]

    for version in range(2, 12):
        stock.claim({product.pk: 1})
        for socket in sockets:
            told, shown = beat(hub, loop, socket)
            assert told == shown, version
    for socket in sockets:
        socket.shows(topic, 11)
        told, shown = beat(hub, loop, socket)
        assert told == shown


def test_change_that_a_turn_overtakes_is_in_the_digest_once(open_socket, hub, loop):
    """The state is newer than what the last tick told: the turn sends the newest."""
    product = make_product()
    topic = f"stock:{product.pk}"
    seen, hidden = open_socket(topic), open_socket(topic, pace=LONG)
    stock.claim({product.pk: 1})
    facts = seen.shows(topic, 2)
    audience = next(a for a in hub._audiences if a.slot)

    async def turn_before_the_tick() -> None:
        hub._accept(hub._topics[topic], live.State(3, facts))
        await hub._pay_in(audience.slot)
        hub._beat_to(list(hub._audiences[audience]))

    loop.run(turn_before_the_tick())

    assert hidden.page.shown[topic] == 3
    assert hidden.frames[-1]["digest"] == hidden.page.digest()
    seen.shows(topic, 3)
    told, shown = beat(hub, loop, hidden)
    assert told == shown


def test_slow_paced_socket_is_owed_the_state_as_it_is_once(open_socket, hub, loop):
    product = make_product()
    topic = f"stock:{product.pk}"
    seen, hidden = open_socket(topic), open_socket(topic, pace=LONG)
    slot = next(a.slot for a in hub._audiences if a.slot)

    def change(version: int) -> None:
        stock.claim({product.pk: 1})
        seen.shows(topic, version)

    loop.call(hidden.can_send.clear)
    for version in (2, 3):  # the first is under way, the second is owed
        change(version)
        loop.run(hub._pay_in(slot))
    change(4)
    loop.call(hidden.can_send.set)
    hidden.shows(topic, 4)

    versions = [item[1] for frame in updates(hidden) for item in frame["items"]]
    assert versions == [2, 4]
    told, shown = beat(hub, loop, hidden)
    assert told == shown


def test_crowd_of_hidden_tabs_is_not_written_to_all_at_once(open_socket):
    product = make_product()
    topic = f"stock:{product.pk}"
    crowd = [open_socket(topic, pace=1000) for _ in range(CROWD)]
    times: list[float] = []
    for socket in crowd:
        show = socket.heard
        socket.heard = lambda frame, show=show: (times.append(time.time()), show(frame))

    stock.claim({product.pk: 1})
    for socket in crowd:
        socket.shows(topic, 2)

    busiest = max(sum(t <= other < t + 0.08 for other in times) for t in times)
    assert busiest < CROWD * 4 / PARTS
    assert max(times) - min(times) > 0.4


def test_change_is_rendered_once_however_many_tabs_are_hidden(open_socket, monkeypatch):
    renders = []
    render = live.render
    monkeypatch.setattr(
        live, "render", lambda *arguments: renders.append(1) or render(*arguments)
    )
    product = make_product()
    topic = f"stock:{product.pk}"
    crowd = [open_socket(topic, pace=PACE, html="en") for _ in range(20)]
    before, frames = len(renders), counted("shop_frames_total")

    stock.claim({product.pk: 1})
    for socket in crowd:
        socket.shows(topic, 2)

    assert len(renders) - before == 1
    assert counted("shop_frames_total") - frames == len(crowd)


def test_hub_forgets_what_it_owed_to_sockets_that_are_gone(hub, loop, db):
    product = make_product()
    topic = f"stock:{product.pk}"
    for _ in range(2):
        hidden = Socket(loop, Page({topic: -1}))
        hidden.page.pace = LONG
        hidden.watch()
        stock.claim({product.pk: 1})
        wait_until(lambda: loop.call(lambda: bool(hub._debts._debts)), "a debt", 5)
        hidden.close()

        assert not loop.call(lambda: hub._debts._debts)


def test_pace_that_is_asked_for_again_brings_no_earlier_turn(open_socket, hub):
    product = make_product()
    hidden = open_socket(f"stock:{product.pk}", pace=PACE)
    (before,) = hub._audiences

    for _ in range(10):
        hidden.watch(is_new=False)

    assert list(hub._audiences) == [before]


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name)
