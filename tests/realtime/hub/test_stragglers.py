"""A slow socket gets what it missed."""

from products.stock import services as stock
from tests.support.factories import make_variant


def test_slow_socket_gets_the_newest_state_once(open_socket, loop):
    one, two, three = variants = [make_variant() for _ in range(3)]
    topics = [f"stock:{variant.pk}" for variant in variants]
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
