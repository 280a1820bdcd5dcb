"""Goods that are picked up are taxed where the shop is."""

from decimal import Decimal

import pytest

from products.live import baskets as live
from products.live.viewers import Owner
from products.models import Order, ShippingMethod
from tests.products.orders.test_checkout import (
    CHECKOUT,
    PLACE,
    REVIEW,
    fields,
)
from tests.products.shipping.test_services import make_method, make_zone
from tests.support.factories import make_basket, make_shopper, make_variant
from users.models import User

pytestmark = pytest.mark.django_db

PLACES = {
    "DK": {"country": "DK", "postcode": "1401"},
    "US": {"country": "US", "postcode": "10001", "region": "NY"},
}


@pytest.fixture
def shopper(client) -> User:
    """Signed in, with a lamp at 119.00 in the basket."""
    shopper = make_shopper()
    client.force_login(shopper)
    make_basket(Owner(user_id=shopper.pk), {make_variant(price="119.00"): 1})
    return shopper


@pytest.fixture
def pickup() -> ShippingMethod:
    """Beside a parcel, in a zone of all countries."""
    zone = make_zone(has_rest=True)
    make_method(zone, (0, None, "11.90"))
    return make_method(zone, name="Pick-up", is_pickup=True, position=2)


@pytest.mark.parametrize("country, elsewhere", [("DK", "26.18"), ("US", "0.00")])
def test_tax_is_that_of_the_shop_only_for_goods_that_are_picked_up(
    client, shopper, pickup, country, elsewhere
):
    client.post(CHECKOUT, PLACE | PLACES[country])
    client.get(REVIEW)
    sent = live.contents(Owner(user_id=shopper.pk)).facts

    client.post("/checkout/delivery/", {"delivery": pickup.pk})
    picked_up = live.contents(Owner(user_id=shopper.pk)).facts
    page = client.get(REVIEW)
    client.post(REVIEW, fields(page.text) | {"delivery": pickup.pk})

    assert (sent["total"], sent["tax"]) == ("130.90", elsewhere)
    assert (picked_up["total"], picked_up["tax"]) == ("119.00", "19.00")
    assert "Includes 19% VAT" in page.text
    order = Order.objects.get()
    line = order.lines.get()
    assert (order.total, order.tax, order.is_pickup) == (119, 19, True)
    assert (line.tax_rate, line.tax_code) == (Decimal(19), "standard")
    assert str(order.country) == country
