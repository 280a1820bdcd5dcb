"""A job of the hub runs again after a failure."""

from products.live.registry import registry
from products.stock import services as stock
from tests.support.factories import make_variant
from tests.support.servers import wait_until


def test_job_that_fails_is_logged_and_runs_again(
    open_socket, hub, loop, monkeypatch, caplog
):
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    socket = open_socket()
    socket.watch(topic, html="en")
    monkeypatch.setattr(registry, "render", lambda *arguments: 1 / 0)
    stock.claim({variant.pk: 1})
    wait_until(lambda: "Writer.run failed" in caplog.text, "the log", 3)
    monkeypatch.undo()

    stock.claim({variant.pk: 1})

    assert socket.shows(topic, 3)["available"] == 8
    loop.call(hub.heartbeats.beat, hub.audiences.sockets_without_slot())
    wait_until(lambda: socket.frames[-1]["t"] == "hb", "the heartbeat", 3)
