"""Where an order's discount is shown: pages, mails, slip and export."""

import csv
from html import unescape

import pytest
from django.test import Client

from products.models import Order
from tests.products.staff.test_board import BOARD, make_clerk
from tests.support.factories import (
    make_discount,
    make_order,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db
ALWAYS = {"since": "2000-01-01", "until": "2100-01-01"}


@pytest.fixture
def order(settings) -> Order:
    """Four lamps at 12.50, with 10 % off the order."""
    settings.STAFF_ALERTS = {"orders": ["staff@example.com"], "stock": []}
    make_discount(code="", name="Birthday week")
    user = make_user(email="ann@example.com")
    return make_order({make_variant(price="12.50"): 4}, user=user)


def page(user, path: str) -> str:
    client = Client()
    client.force_login(user)
    return unescape(" ".join(client.get(path).text.split()))


def test_order_page_and_board_show_the_discount(order):
    for user, path in (
        (order.user, f"/orders/{order.number}/"),
        (make_clerk("view_order"), f"{BOARD}{order.number}/"),
    ):
        text = page(user, path)

        assert "Discount (Birthday week)" in text
        assert "−€5.00" in text and "€45.00" in text


def test_slip_names_the_discount_and_no_amount(order):
    text = page(make_clerk("view_order"), f"{BOARD}{order.number}/slip/")

    assert "<dd>Birthday week</dd>" in text
    assert "€" not in text


def test_mails_show_the_discount(order, mailoutbox):
    assert {mail.to[0] for mail in mailoutbox} == {
        "ann@example.com",
        "staff@example.com",
    }
    for mail in mailoutbox:
        for text in (mail.body, unescape(mail.alternatives[0].content)):
            assert "Discount (Birthday week): −€5.00" in text
            assert "€45.00" in text


@pytest.mark.parametrize("rows", ["orders", "lines"])
def test_export_has_the_discount_and_its_name(client, order, rows):
    client.force_login(make_clerk("view_order"))

    text = client.get(f"{BOARD}export.csv", ALWAYS | {"rows": rows}).getvalue()

    (row,) = csv.DictReader(text.decode().splitlines())
    names = ("goods", "discount", "discount_name", "total")
    assert [row[name] for name in names] == ["50.00", "5.00", "Birthday week", "45.00"]
