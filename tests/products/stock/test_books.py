"""`manage.py reconcile`: the rows against their movements and their holders."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from products import tasks
from products.models import BasketLine, Order, OrderLine, Stock, StockMovement, Variant
from products.orders import services as orders
from products.stock import books
from products.stock import services as stock
from tests.support.factories import make_holder, make_order, make_variant

pytestmark = pytest.mark.django_db


def reconcile() -> str:
    """What the command complains of."""
    complaints = StringIO()
    with pytest.raises(CommandError, match="1 stock rows have drifted"):
        call_command("reconcile", stderr=complaints)
    return complaints.getvalue()


def test_reconcile_of_good_books_reports_nothing():
    variant = make_variant(on_hand=10, reserved=4)
    make_variant(on_hand=0)
    stock.release({variant.pk: 1})
    stock.ship({variant.pk: 2})
    stock.count(variant.pk, 7)
    make_holder(variant, units=1)
    output = StringIO()

    call_command("reconcile", stdout=output)

    assert "The books agree: 2 stock rows." in output.getvalue()


def make_reserved(units: int) -> Variant:
    """A product of which a checkout holds so many units."""
    variant = make_variant(on_hand=10, reserved=units)
    make_holder(variant, units=units)
    return variant


@pytest.mark.parametrize(
    "figure, expected",
    [
        ("on_hand", "on_hand is 11, its movements say 10"),
        (
            "reserved",
            "reserved is 5, its movements say 4;"
            " reserved is 5, baskets and orders hold 4",
        ),
        ("version", "version is 3, its movements say 2"),
    ],
)
def test_reconcile_of_a_row_that_raw_sql_changed_names_product_and_figure(
    figure, expected
):
    variant = make_reserved(4)
    make_variant(on_hand=3)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE products_stock SET {figure} = {figure} + 1 WHERE variant_id = %s",
            [variant.pk],
        )

    complaint = reconcile()

    assert complaint.strip() == f"variant {variant.pk}: {expected}"


def test_reconcile_of_movements_that_skip_a_version_says_so():
    variant = make_reserved(4)
    StockMovement.objects.filter(variant=variant, version=2).update(version=3)

    complaint = reconcile()

    assert complaint.strip() == f"variant {variant.pk}: its movements skip a version"


def test_reconcile_of_a_missing_movement_says_so():
    variant = make_reserved(4)
    StockMovement.objects.filter(variant=variant, version=1).delete()

    assert f"variant {variant.pk}: on_hand is 10, its movements say 0" in reconcile()


# --- Holders ----------------------------------------------------------------------


def test_reconcile_of_units_held_by_baskets_and_orders_reports_nothing():
    variant = make_reserved(2)
    make_holder(variant, units=1)
    stock.claim({variant.pk: 1})
    for verb in (lambda order: None, orders.pay, orders.cancel):
        verb(make_order({variant: 1}))

    assert Stock.objects.get(pk=variant.pk).reserved == 2 + 1 + 2
    assert books.reconcile() == []


def test_reconcile_of_reserved_units_without_a_holder_says_so():
    variant = make_reserved(4)
    stock.claim({variant.pk: 2})

    complaint = reconcile()

    assert complaint.strip() == (
        f"variant {variant.pk}: reserved is 6, baskets and orders hold 4"
    )


@pytest.mark.parametrize(
    "lose, held",
    [
        (lambda: BasketLine.objects.filter(held=4).update(held=0), 3),
        (lambda: BasketLine.objects.filter(held=4).delete(), 3),
        (lambda: OrderLine.objects.all().delete(), 4),
        (lambda: Order.objects.update(status=Order.Status.CANCELLED), 4),
        (lambda: Order.objects.update(status=Order.Status.SHIPPED), 4),
    ],
    ids=["forgotten", "line", "order line", "cancelled", "shipped"],
)
def test_reconcile_of_a_missing_holder_says_so(lose, held):
    variant = make_reserved(4)
    make_order({variant: 3})
    assert books.reconcile() == []

    lose()

    assert f"reserved is 7, baskets and orders hold {held}" in reconcile()


def test_reconcile_of_held_units_that_are_not_reserved_says_so():
    variant = make_reserved(4)
    make_order({variant: 3})
    stock.release({variant.pk: 7})

    assert "reserved is 0, baskets and orders hold 7" in reconcile()


def test_reconcile_of_many_rows_is_one_query(django_assert_num_queries):
    for _ in range(5):
        make_order({make_reserved(4): 1})

    with django_assert_num_queries(1):
        assert books.reconcile() == []


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda: Order.objects.update(goods=26, total=26), "goods is 26.00"),
        (
            lambda: Order.objects.update(goods=26, discount=1),
            "goods is 26.00, its rows say 25.00; discount is 1.00, its rows say 0.00",
        ),
        (lambda: Order.objects.update(tax=1), "tax is 1.00, its rows say 3.99"),
        (
            lambda: Order.objects.update(shipping=5, total=30),
            "shipping is 5.00, its rows say 0.00",
        ),
        (lambda: OrderLine.objects.update(tax=0), "tax is 3.99, its rows say 0.00"),
    ],
)
def test_reconcile_of_an_order_that_is_not_the_sum_of_its_rows_says_so(change, text):
    order = make_order({make_variant(price="12.50"): 2})
    assert books.reconcile_money() == []

    change()

    (drift,) = books.reconcile_money()
    assert drift.number == order.number and text in drift.what


def test_check_books_with_drift_fails_its_task():
    make_variant(on_hand=10)
    tasks.check_books()

    Stock.objects.update(on_hand=9)
    with pytest.raises(CommandError):
        tasks.check_books()
