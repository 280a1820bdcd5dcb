"""The same shop on a server that, unlike Daphne, waits for a client that is slow."""

import pytest

from products.live import Owner
from products.services import basket, stock
from tests.factories import make_full_basket, make_product, make_products, make_user
from tests.live.client import Client
from tests.live.shopper import Shopper
from tests.servers import Uvicorn

CHANGES = 20


@pytest.fixture
def uvicorn(redis, serve):
    shop = serve(redis, Uvicorn, LIVE_AUDIT_S="60")
    yield shop
    assert "Traceback" not in shop.said(), shop.said()


def test_commit_reaches_a_watcher(uvicorn):
    product = make_product()

    with Client(uvicorn) as client:
        client.watch(f"stock:{product.pk}")
        stock.claim({product.pk: 1})

        assert client.shows(f"stock:{product.pk}", 2)["available"] == 9


def test_bad_input_is_answered_as_everywhere(uvicorn):
    with Client(uvicorn) as client:
        client.send_raw("{")
        assert client.receive()["code"] == "bad_json"
        client.send_raw(b"{}")
        assert client.closed() == 4501


def test_reader_that_is_slow_gets_the_state_as_it_is_when_it_reads(uvicorn):
    """Frames of half a megabyte: more than the kernel holds for who doesn't read."""
    user, other = make_user(), make_product()
    products = make_products(100, name="🛋" * 160)
    mine = make_full_basket(Owner(user_id=user.pk), products)
    shopper = Shopper(uvicorn, user)
    names = ["basket:lines", f"stock:{other.pk}"]

    patience = {"buffer": 4096, "max_queue": 1, "compression": None}

    with shopper.socket(html=None) as quick, shopper.socket(**patience) as slow:
        quick.watch(*names)
        slow.watch(*names)
        for number in range(1, CHANGES + 1):
            basket.set_quantities(mine, {products[0].pk: number % 9 + 2})
            quick.shows("basket:lines", number)

        facts = slow.shows("basket:lines", CHANGES)

    assert facts == quick.page.facts["basket:lines"]
    received = [item for frame in slow.frames[1:] for item in frame["items"]]
    assert {item[0] for item in received} == {"basket:lines"}  # the other was not owed
    assert len(quick.frames) - 1 == CHANGES  # the premise: this many were written
    assert len(received) < CHANGES
