"""Changes are written once for each audience and tick."""

import asyncio
import time

import pytest

from products.live.registry import registry
from products.stock import services as stock
from realtime.hub import sockets as hub_sockets
from realtime.hub import writing
from tests.support.counters import counted
from tests.support.factories import make_variant
from tests.support.sockets import SilentSocket

SOCKETS = 1000


def test_update_is_rendered_once_for_each_language(open_socket, renders, settings):
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    sockets = {html: [open_socket() for _ in range(5)] for html in ("en", "de", None)}
    for html, group in sockets.items():
        for socket in group:
            socket.watch(topic, html=html)
    renders.clear()

    stock.claim({variant.pk: 1})
    for html, group in sockets.items():
        for socket in group:
            socket.shows(topic, 2)
            assert (socket.page.html[topic] is None) is (html is None)

    assert renders == {(topic, "en"): 1, (topic, "de"): 1}


def test_audience_in_another_language_gets_its_own_html(open_socket, settings):
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    english, german = open_socket(), open_socket()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "render", lambda key, state, language: f"<p>{language}")
        english.watch(topic, html="en")
        german.watch(topic, html="de")
        stock.claim({variant.pk: 1})
        english.shows(topic, 2)
        german.shows(topic, 2)

    assert (english.page.html[topic], german.page.html[topic]) == ("<p>en", "<p>de")


def test_socket_that_fails_does_not_stop_a_fan_out(open_socket):
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    broken, other = open_socket(), open_socket()
    broken.watch(topic)
    other.watch(topic)

    def fail(frame: dict) -> None:
        raise OSError("gone")

    broken.heard = fail
    for version in (2, 3):
        stock.claim({variant.pk: 1})
        assert other.shows(topic, version)["available"] == 11 - version


def test_burst_of_changes_is_one_frame_in_each_tick(open_socket):
    variant = make_variant(on_hand=500)
    topic = f"stock:{variant.pk}"
    socket = open_socket()
    socket.watch(topic)
    begun = time.monotonic()

    for _ in range(200):
        stock.claim({variant.pk: 1})
    socket.shows(topic, 201)

    ticks = (time.monotonic() - begun) / 0.05
    assert len(socket.frames) - 1 <= ticks + 1


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


@pytest.mark.parametrize("every, turns", [(writing.YIELD_EVERY, 10), (10**6, 0)])
def test_fan_out_lets_other_tasks_run(
    hub, loop, open_socket, monkeypatch, every, turns
):
    """Such as handshakes, pages and health checks. The second case is the control."""
    monkeypatch.setattr(writing, "YIELD_EVERY", every)
    variant = make_variant()
    open_socket().watch(f"stock:{variant.pk}")

    crowd = loop.call(Crowd, hub, f"stock:{variant.pk}")

    assert loop.run(crowd.fan_out()) == turns


def test_backlog_metric_counts_topics_that_are_not_written_yet(hub, loop, open_socket):
    variant = make_variant()
    open_socket().watch(f"stock:{variant.pk}")
    assert counted("shop_dirty_backlog") == 0

    hub.topics.dirty.add(f"stock:{variant.pk}")

    assert counted("shop_dirty_backlog") == 1
