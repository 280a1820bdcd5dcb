"""Heartbeats carry a digest of what a socket should show."""

from realtime import protocol
from tests.support.factories import make_user, make_variant
from tests.support.servers import wait_until
from tests.support.sockets import session_of


def test_heartbeat_has_the_digest_of_both_audiences(open_socket, settings, hub, loop):
    variant = make_variant()
    socket = open_socket(cookie=session_of(make_user()))
    socket.watch(f"stock:{variant.pk}", "basket")

    loop.call(hub.heartbeats.beat, hub.audiences.sockets_without_slot())
    wait_until(lambda: socket.frames[-1]["t"] == "hb", "the heartbeat", 3)

    assert socket.frames[-1]["digest"] == socket.page.digest()
    both = {f"stock:{variant.pk}": 1, "basket": 0}.items()
    total = sum(protocol.fingerprint(*entry) for entry in both) & protocol.MASK
    assert socket.page.digest() == f"{total:08x}"
