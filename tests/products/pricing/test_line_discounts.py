"""Discounts on lines: which one a line gets, and what becomes of it."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from products.basket import services as baskets
from products.live import baskets as live
from products.live.viewers import Owner
from products.models import (
    Basket,
    Discount,
    DiscountUse,
    Order,
    OrderLine,
    ProductCategory,
    Variant,
)
from products.orders import services as orders
from products.orders.exceptions import TermsChanged
from products.pricing import discount_books, discount_flips
from tests.products.pricing.test_discounts import facts, place, sums, versions
from tests.products.shipping.test_services import make_method, make_zone
from tests.support.factories import (
    make_basket,
    make_discount,
    make_options,
    make_variant,
    terms_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def lamp() -> Variant:
    return make_variant(price="12.50")


@pytest.fixture
def basket(lamp) -> Basket:
    """Four lamps at 12.50 and a vase at 8.00."""
    return make_basket(lines={lamp: 4, make_variant(price="8.00"): 1})


def on_lines(*targets: Variant | ProductCategory, **fields) -> Discount:
    """A discount on lines; it needs no code unless `fields` have one."""
    discount = make_discount(
        **{"code": "", "name": "Autumn"} | fields, is_on_lines=True
    )
    discount.variants.set(each for each in targets if isinstance(each, Variant))
    shelves = (each for each in targets if isinstance(each, ProductCategory))
    discount.categories.set(shelves)
    return discount


def lines_of(basket: Basket) -> list[tuple[str, str]]:
    return [
        (line["line_discount"], line["discount_name"])
        for line in facts(basket)["lines"]
    ]


# --- The choice -------------------------------------------------------------------


@pytest.mark.parametrize(
    "terms, saved",
    [
        ({"percent": "10"}, "5.00"),
        ({"percent": "33.33"}, "16.67"),  # of the line, not of each unit
        ({"amount": "0.99"}, "3.96"),
        ({"amount": "99"}, "50.00"),  # at most the price of each unit
    ],
)
def test_line_gets_a_percentage_of_it_or_an_amount_off_each_unit(
    lamp, basket, terms, saved
):
    on_lines(lamp, **terms)

    assert lines_of(basket) == [(saved, "Autumn"), ("0.00", "")]
    goods = Decimal("58.00") - Decimal(saved)
    assert (facts(basket)["goods"], facts(basket)["discount"]) == (f"{goods}", "0.00")


@pytest.mark.parametrize("kind", ["products", "categories", "variants"])
def test_discount_is_for_the_goods_that_staff_chose(kind):
    red, blue = make_options(
        *({"option_values": [name]} for name in ("red", "blue")), names=["Colour"]
    )
    basket = make_basket(lines={red: 1, blue: 1, make_variant(): 1})
    discount = on_lines(percent="10")
    targets = {
        "products": red.product,
        "categories": red.product.category,
        "variants": red,
    }
    getattr(discount, kind).set([targets[kind]])

    names = [name for _saved, name in lines_of(basket)]

    of_blue = "" if kind == "variants" else "Autumn"
    assert names == ["Autumn", of_blue, ""]


def test_line_gets_the_best_of_several_discounts(lamp, basket):
    on_lines(lamp, name="Small", percent="10")
    on_lines(lamp, name="Best", amount="1.26")
    on_lines(lamp, lamp.product.category, name="Same", amount="1.26")

    assert lines_of(basket)[0] == ("5.04", "Best")


def test_discount_on_the_order_comes_after_those_on_lines(lamp, basket):
    on_lines(lamp, percent="10")
    make_discount(code="", name="Week", percent="10", minimum="53")

    assert sums(basket) == ("5.30", "Week", "47.70")
    Discount.objects.filter(name="Week").update(minimum="53.01")
    assert sums(basket) == ("0.00", "", "53.00")


def test_discount_on_lines_has_a_minimum_of_goods_before_discounts(lamp, basket):
    discount = on_lines(lamp, minimum="58")
    assert lines_of(basket)[0] == ("5.00", "Autumn")

    Discount.objects.filter(pk=discount.pk).update(minimum="58.01")
    assert lines_of(basket)[0] == ("0.00", "")


@pytest.mark.parametrize(
    "is_ours, percent, saved, problem",
    [
        (True, "20", "10.00", ""),
        (True, "10", "5.00", "not_better"),
        (False, "20", "5.00", "other_goods"),
    ],
)
def test_code_on_lines_counts_if_it_is_the_best_of_one(
    lamp, basket, is_ours, percent, saved, problem
):
    on_lines(lamp, percent="10")
    goods = lamp if is_ours else make_variant()
    on_lines(goods, code="SPRING", percent=percent)

    baskets.apply_code(basket, "SPRING")

    assert lines_of(basket)[0][0] == saved
    assert facts(basket)["code"]["problem"] == problem


def test_badge_shows_goods_before_discounts_and_delivery_on_every_page(lamp, basket):
    on_lines(lamp, percent="10")
    make_discount(code="", name="Week", percent="10")
    make_method(make_zone("Germany", countries=["DE"]), (0, None, "4.90"))
    owner = Owner(basket.user_id, basket.token)

    badge = live.summary(owner).facts["total"]

    assert badge == facts(basket)["value"] == "58.00"
    assert facts(basket)["total"] == "52.60"


# --- Placing ----------------------------------------------------------------------


def test_order_stores_the_discount_of_each_line_and_counts_each_once(lamp, basket):
    autumn = on_lines(lamp, percent="10")
    week = make_discount(code="", name="Week", amount="3")

    order = place(basket)

    lines = order.lines.values_list("line_discount", "discount_name", "order_discount")
    assert list(lines) == [
        (Decimal("5.00"), "Autumn", Decimal("2.55")),
        (Decimal("0.00"), "", Decimal("0.45")),
    ]
    assert (order.goods, order.discount, order.total) == (53, 3, 50)
    uses = DiscountUse.objects.order_by("pk").values_list("discount", "percent")
    assert list(uses) == [(autumn.pk, 10), (week.pk, None)]
    assert discount_books.drifts() == []


@pytest.mark.parametrize("change", [{"percent": "9"}, {"name": "Winter"}])
def test_order_on_terms_with_a_line_discount_that_has_changed_is_refused(
    lamp, basket, change
):
    discount = on_lines(lamp)
    seen = terms_of(basket)
    Discount.objects.filter(pk=discount.pk).update(**change)

    with pytest.raises(TermsChanged) as refusal, transaction.atomic():
        place(basket, seen=seen)

    assert [line.name for line in seen.changes(refusal.value.now)] == [lamp.name]
    assert not Order.objects.exists()


def test_cancelled_order_gives_back_the_uses_of_all_its_discounts(lamp, basket):
    on_lines(lamp)
    make_discount(code="", name="Week")
    order = place(basket)
    assert set(Discount.objects.values_list("uses", flat=True)) == {1}

    orders.cancel(order)

    assert set(Discount.objects.values_list("uses", flat=True)) == {0}
    assert discount_books.drifts() == []


# --- In time ----------------------------------------------------------------------


def test_end_of_a_discount_on_lines_gives_baskets_a_next_version(lamp, basket):
    discount = on_lines(lamp)
    discount_flips.settle_all()
    (before,) = versions(basket)

    discount_flips.end_discount(discount)
    discount_flips.settle_all()

    assert versions(basket) == [before + 1]
    assert lines_of(basket)[0] == ("0.00", "")


# --- The books --------------------------------------------------------------------


def use_of(name: str):
    return DiscountUse.objects.filter(discount__name=name)


@pytest.mark.parametrize(
    "break_it, text",
    [
        (
            lambda: OrderLine.objects.filter(discount_name="Autumn").update(
                line_discount="4", amount="43.45"
            ),
            "the discount of LAMP is 4.00, its use says 5.00",
        ),
        (
            lambda: use_of("Autumn").update(percent=None, amount="99"),
            "the discount of LAMP is 5.00, its use says 50.00",
        ),
        (
            lambda: OrderLine.objects.update(discount=None),
            "no line has the discount of a use: Autumn",
        ),
        (
            lambda: use_of("Autumn").delete(),
            "the discount of LAMP is 5.00, its use says 0.00",
        ),
        (
            lambda: use_of("Week").update(amount="4"),
            "its discount is 3.00, its use says 4.00",
        ),
        (lambda: use_of("Week").delete(), "its discount is 3.00, its use says 0.00"),
    ],
)
def test_reconcile_names_orders_whose_discounts_are_not_those_of_their_uses(
    break_it, text
):
    lamp = make_variant(price="12.50", sku="LAMP")
    on_lines(lamp, percent="10")
    make_discount(code="", name="Week", amount="3")
    order = place(make_basket(lines={lamp: 4, make_variant(price="8.00"): 1}))
    assert discount_books.drifts() == []

    break_it()

    assert f"order {order.number}: {text}" in discount_books.drifts()
    complaints = StringIO()
    with pytest.raises(CommandError, match="drifted"):
        call_command("reconcile", stderr=complaints)
    assert text in complaints.getvalue()
