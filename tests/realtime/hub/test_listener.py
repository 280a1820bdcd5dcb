"""Messages of changes are counted."""

from products.stock import services as stock
from tests.support.counters import counted
from tests.support.factories import make_product


def test_message_of_a_change_is_counted(open_socket):
    product = make_product()
    socket = open_socket()
    socket.watch(f"stock:{product.pk}")
    before = counted("shop_messages_total")

    stock.claim({product.pk: 1})
    socket.shows(f"stock:{product.pk}", 2)

    assert counted("shop_messages_total") - before == 1
