"""The server pings hidden tabs less often."""

import json
import select
import time

from tests.benchmarks.listeners import PING, Listener, whole_frames
from tests.support.factories import make_variant
from tests.support.servers import Daphne

LISTEN_S = 5  # the server looks every 2 s for whom to ping


class Impatient(Daphne):
    """A server that pings sockets after a second of silence."""

    ping_interval_s = 1


def subscribe(shop: Daphne, topic: str, pace: int) -> Listener:
    """A socket that has its first answer."""
    frame = {"t": "sub", "id": 1, "topics": {topic: None}, "pace": pace}
    tab = Listener(shop.port, json.dumps(frame).encode())
    tab.knock()
    while not tab.advance():
        tab.read()
    return tab


def test_hidden_tab_is_pinged_less_often_than_others(redis, serve):
    shop = serve(redis, Impatient)
    topic = f"stock:{make_variant().pk}"
    seen, hidden = (subscribe(shop, topic, pace) for pace in (0, 45_000))

    heard = {seen: b"", hidden: b""}
    end = time.monotonic() + LISTEN_S
    while time.monotonic() < end:
        for tab in heard:
            if select.select([tab.fileno], [], [], 0.1)[0]:
                heard[tab] += tab._socket.recv(65536)
    for tab in heard:
        tab.close()

    pings = {
        tab: [head for head, _ in whole_frames(data)[0]].count(PING)
        for tab, data in heard.items()
    }
    assert pings[seen] >= 1  # the premise
    assert pings[hidden] == 0
