"""SQL queries of the pages of orders stay the same however many rows there are."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from products.live import viewers
from products.models import Order, OrderEvent, OrderLine, Variant
from products.orders.models import Status
from tests.support.factories import (
    CONTACT,
    make_basket,
    make_order,
    make_shopper,
    make_variants,
)
from users.models import User

pytestmark = pytest.mark.django_db

FEW, MANY = 10, 1000
BUDGETS = {
    "contact": 13,  # one notes how long it is held
    "review": 11,
    "order": 8,
    "history": 9,
    "board": 12,
    "board, found": 10,
    "one order": 10,
    "slip": 9,
}


def fill(shopper: User, count: int) -> Order:
    """So many orders of the shopper's, in every status, after one of many lines; gives
    that one."""
    variants = make_variants(min(count, 100), on_hand=count)
    big = make_order(dict.fromkeys(variants, 1), user=shopper)
    statuses = [*Status]
    moment = timezone.now()
    orders = Order.objects.bulk_create(
        Order(
            user=shopper,
            status=statuses[n % len(statuses)],
            method=Order.Method.DELIVERY,
            goods=variants[0].price,
            total=variants[0].price,
            currency="EUR",
            language="en",
            placed_at=moment - timedelta(minutes=n),
            **place(),
        )
        for n in range(count)
    )
    OrderLine.objects.bulk_create(line(order, variants[0]) for order in orders)
    OrderEvent.objects.bulk_create(
        OrderEvent(order=order, version=1, status=order.status, actor=shopper)
        for order in orders
    )
    OrderEvent.objects.bulk_create(
        OrderEvent(order=big, version=n, status=big.status, actor=shopper, note="Note")
        for n in range(2, count)
    )
    make_basket(viewers.Owner(user_id=shopper.pk), dict.fromkeys(variants, 1))
    return big


def place() -> dict[str, str]:
    names = ("email", "full_name", "line1", "postcode", "city", "country")
    return {name: getattr(CONTACT, name) for name in names}


def line(order: Order, variant: Variant) -> OrderLine:
    return OrderLine(
        order=order,
        variant=variant,
        name=variant.name,
        sku=variant.sku,
        unit_price=variant.price,
        quantity=1,
        amount=variant.price,
    )


@pytest.fixture(params=[FEW, MANY])
def big(request, client) -> Order:
    shopper = make_shopper()
    order = fill(shopper, request.param)
    shopper.is_staff = True
    shopper.save()
    rights = Permission.objects.filter(content_type__app_label="products")
    shopper.user_permissions.set(rights)
    client.force_login(shopper)
    entry = {**place(), "line2": "", "region": "", "phone": ""}
    session = client.session
    session["checkout"] = entry
    session.save()
    return order


def addresses(order: Order) -> dict[str, str]:
    return {
        "contact": reverse("products:checkout"),
        "review": reverse("products:checkout-review"),
        "order": reverse("products:order", args=[order.number]),
        "history": reverse("products:orders"),
        "board": reverse("staff:orders"),
        "board, found": reverse("staff:orders") + "?q=ann&status=paid",
        "one order": reverse("staff:order", args=[order.number]),
        "slip": reverse("staff:order-slip", args=[order.number]),
    }


def test_pages_of_orders_cost_as_many_queries_however_many_rows_there_are(client, big):
    client.get(reverse("products:checkout"))  # the first look claims the units
    costs = {}

    for page, address in addresses(big).items():
        with CaptureQueriesContext(connection) as queries:
            response = client.get(address)
        costs[page] = len(queries)
        assert "Vase" in response.text or big.number in response.text, page  # has rows

    assert costs == BUDGETS
