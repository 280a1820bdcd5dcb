"""Messages of changes are counted."""

from products.stock import services as stock
from tests.support.counters import counted
from tests.support.factories import make_variant


def test_message_of_a_change_is_counted(open_socket):
    variant = make_variant()
    socket = open_socket()
    socket.watch(f"stock:{variant.pk}")
    before = counted("shop_messages_total")

    stock.claim({variant.pk: 1})
    socket.shows(f"stock:{variant.pk}", 2)

    assert counted("shop_messages_total") - before == 1
