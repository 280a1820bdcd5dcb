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
    """Four lamps at 12.50, with 1.25 off each lamp and 10 % off the order."""
    settings.STAFF_ALERTS = {"orders": ["staff@example.com"], "stock": []}
    make_discount(code="", name="Birthday week")
    user = make_user(email="ann@example.com")
    lamp = make_variant(price="12.50")
    autumn = make_discount(code="", name="Autumn", amount="1.25", is_on_lines=True)
    autumn.variants.set([lamp])
    return make_order({lamp: 4}, user=user)


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
        assert "−€4.50" in text and "€40.50" in text
        assert "Discount (Autumn): −€5.00" in text


def test_slip_names_the_discount_and_no_amount(order):
    text = page(make_clerk("view_order"), f"{BOARD}{order.number}/slip/")

    assert "<dd>Birthday week</dd>" in text
    assert "Discount: Autumn" in text
    assert "€" not in text


def test_mails_show_the_discount(order, mailoutbox):
    assert {mail.to[0] for mail in mailoutbox} == {
        "ann@example.com",
        "staff@example.com",
    }
    for mail in mailoutbox:
        for text in (mail.body, unescape(mail.alternatives[0].content)):
            assert "Discount (Birthday week): −€4.50" in text
            assert "€45.00 (Discount Autumn: −€5.00)" in text
            assert "€40.50" in text


@pytest.mark.parametrize("rows", ["orders", "lines"])
def test_export_has_the_discount_and_its_name(client, order, rows):
    client.force_login(make_clerk("view_order"))

    text = client.get(f"{BOARD}export.csv", ALWAYS | {"rows": rows}).getvalue()

    (row,) = csv.DictReader(text.decode().splitlines())
    names = ("goods", "discount", "discount_name", "total")
    assert [row[name] for name in names] == ["45.00", "4.50", "Birthday week", "40.50"]
    if rows == "orders":
        assert row["line_discounts"] == "5.00"
    else:
        assert (row["line_discount"], row["line_discount_name"]) == ("5.00", "Autumn")
